"""Design placement: a chip of a template, and the placement of one model on many such chips, decided together."""

from typing import Any

from accmine.errors import InputError
from accmine.problems.design_placement.layer_bounds import bound
from accmine.problems.design_placement.problem import KIND, ModuleSchedule, Problem, Solution, Variant
from accmine.problems.design_placement.proof import NearPlan, Proof
from accmine.problems.design_placement.rules import check, makespans, score
from accmine.problems.design_placement.times import module_graphs, problem_on
from accmine.problems.own_score import sense, shown, shown_bound

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "ModuleSchedule",
    "NearPlan",
    "Problem",
    "Proof",
    "Solution",
    "Variant",
    "bound",
    "check",
    "impossible",
    "makespans",
    "module_graphs",
    "problem_from_json",
    "problem_on",
    "problem_to_json",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
]

EXACT_DECIMALS = False


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nothing is known without a look at designs and plans."""
    del problem
    return (), ()


def _no_file(*_: Any) -> Any:
    """Problems of this kind have no file; raises ``InputError``."""
    raise InputError("problems of kind design-placement have no file: they come from a study with parallel:")


problem_from_json = problem_to_json = solution_from_json = solution_to_json = _no_file
