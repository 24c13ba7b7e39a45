"""Device placement: layers on stages, tensor groups and replicas of one kind of device."""

from accmine.problems.device_placement.json import read_problem as problem_from_json
from accmine.problems.device_placement.json import read_solution as solution_from_json
from accmine.problems.device_placement.json import write_problem as problem_to_json
from accmine.problems.device_placement.json import write_solution as solution_to_json
from accmine.problems.device_placement.problem import (
    KIND,
    ORDERS,
    SEMANTICS,
    Edge,
    Layer,
    Option,
    Pipelining,
    Problem,
    Solution,
    StagePlan,
)
from accmine.problems.device_placement.rules import (
    bound,
    check,
    impossible,
    score,
    sense,
    shown,
    shown_bound,
    stage_times,
)

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "ORDERS",
    "SEMANTICS",
    "Edge",
    "Layer",
    "Option",
    "Pipelining",
    "Problem",
    "Solution",
    "StagePlan",
    "bound",
    "check",
    "impossible",
    "problem_from_json",
    "problem_to_json",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
    "stage_times",
]

EXACT_DECIMALS = False
