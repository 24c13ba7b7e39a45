"""Kernel sizing: the cheapest slots and units with which the body of a loop keeps a rate."""

from accmine.problems.kernel_sizing.bounds import bound, fixed_and_varying, impossible, possible_counts
from accmine.problems.kernel_sizing.json import read_problem as problem_from_json
from accmine.problems.kernel_sizing.json import read_solution as solution_from_json
from accmine.problems.kernel_sizing.json import write_problem as problem_to_json
from accmine.problems.kernel_sizing.json import write_solution as solution_to_json
from accmine.problems.kernel_sizing.prices import One, priced, um2_of
from accmine.problems.kernel_sizing.problem import (
    KIND,
    LARGEST,
    Choice,
    More,
    Problem,
    Solution,
    check,
    field_of,
    rate_of,
    score,
    sized,
    what_more_buys,
)
from accmine.problems.own_score import sense, shown, shown_bound

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "LARGEST",
    "Choice",
    "More",
    "One",
    "Problem",
    "Solution",
    "bound",
    "check",
    "field_of",
    "fixed_and_varying",
    "impossible",
    "possible_counts",
    "priced",
    "problem_from_json",
    "problem_to_json",
    "rate_of",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "sized",
    "solution_from_json",
    "solution_to_json",
    "um2_of",
    "what_more_buys",
]

EXACT_DECIMALS = True
