"""Operator schedule: place the operators of a graph on cores so that the makespan is smallest."""

from accmine.problems.operator_schedule.cone_bound import CONE_OPERATIONS, bound
from accmine.problems.operator_schedule.json import read_problem as problem_from_json
from accmine.problems.operator_schedule.json import read_solution as solution_from_json
from accmine.problems.operator_schedule.json import write_problem as problem_to_json
from accmine.problems.operator_schedule.json import write_solution as solution_to_json
from accmine.problems.operator_schedule.problem import (
    EXACT_DECIMALS,
    KIND,
    MAX_TIME,
    ModeSet,
    Problem,
    Solution,
    check,
    durations,
    heads,
    least_work,
    lower_bound,
    objective,
    order,
    reverse,
    reverse_solution,
    tails,
)
from accmine.problems.operator_schedule.why_not import explain as impossible
from accmine.problems.own_score import sense, shown, shown_bound

__all__ = [
    "CONE_OPERATIONS",
    "EXACT_DECIMALS",
    "KIND",
    "MAX_TIME",
    "ModeSet",
    "Problem",
    "Solution",
    "bound",
    "check",
    "durations",
    "heads",
    "impossible",
    "least_work",
    "lower_bound",
    "objective",
    "order",
    "problem_from_json",
    "problem_to_json",
    "reverse",
    "reverse_solution",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
    "tails",
]

score = objective
