"""Design search: the one design of a template that runs a set of tasks best under area and TDP limits."""

from accmine.problems.design_search.json import read_problem as problem_from_json
from accmine.problems.design_search.json import read_solution as solution_from_json
from accmine.problems.design_search.json import write_problem as problem_to_json
from accmine.problems.design_search.json import write_solution as solution_to_json
from accmine.problems.design_search.problem import (
    EXACT_DECIMALS,
    KIND,
    TIE,
    Evaluation,
    Problem,
    Schedules,
    Solution,
    aggregate,
    best,
    by_value,
    check,
    check_claim,
    cost_library,
    evaluate,
    evaluated,
    fits,
    lowered,
    ranked,
    score,
    value_of,
)
from accmine.problems.design_search.space_bound import bound
from accmine.problems.own_score import sense, shown, shown_bound

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "TIE",
    "Evaluation",
    "Problem",
    "Schedules",
    "Solution",
    "aggregate",
    "best",
    "bound",
    "by_value",
    "check",
    "check_claim",
    "cost_library",
    "evaluate",
    "evaluated",
    "fits",
    "impossible",
    "lowered",
    "problem_from_json",
    "problem_to_json",
    "ranked",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
    "value_of",
]


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nothing is known without a look at every design; limits in conflict are a question of the study."""
    del problem
    return (), ()
