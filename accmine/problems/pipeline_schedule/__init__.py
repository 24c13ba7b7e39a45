"""Pipeline schedule: the order of the passes of a step on every device, within the memory of each."""

from accmine.problems.own_score import sense, shown, shown_bound
from accmine.problems.pipeline_schedule.json import read_problem as problem_from_json
from accmine.problems.pipeline_schedule.json import read_solution as solution_from_json
from accmine.problems.pipeline_schedule.json import write_problem as problem_to_json
from accmine.problems.pipeline_schedule.json import write_solution as solution_to_json
from accmine.problems.pipeline_schedule.orders import eager, named, one_by_one
from accmine.problems.pipeline_schedule.problem import (
    KIND,
    LARGEST,
    Problem,
    Solution,
    Stage,
    bound,
    check,
    ends_of,
    impossible,
    lengths,
    score,
    serial_ticks,
)

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "LARGEST",
    "Problem",
    "Solution",
    "Stage",
    "bound",
    "check",
    "eager",
    "ends_of",
    "impossible",
    "lengths",
    "named",
    "one_by_one",
    "problem_from_json",
    "problem_to_json",
    "score",
    "sense",
    "serial_ticks",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
]

EXACT_DECIMALS = False
