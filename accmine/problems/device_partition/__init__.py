"""Device partition: nodes of a graph on devices, so that the fullest device is as little loaded as possible."""

from accmine.problems.device_partition.json import read_problem as problem_from_json
from accmine.problems.device_partition.json import read_solution as solution_from_json
from accmine.problems.device_partition.json import write_problem as problem_to_json
from accmine.problems.device_partition.json import write_solution as solution_to_json
from accmine.problems.device_partition.problem import (
    KIND,
    Node,
    Problem,
    Solution,
    bound,
    check,
    impossible,
    loads,
    score,
    sense,
    shown,
    shown_bound,
)

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "Node",
    "Problem",
    "Solution",
    "bound",
    "check",
    "impossible",
    "loads",
    "problem_from_json",
    "problem_to_json",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
]

EXACT_DECIMALS = True
