"""Sparse dataflow: level and folding of every layer of a pipelined network on one device."""

from accmine.problems.own_score import sense, shown, shown_bound
from accmine.problems.sparse_dataflow.bounds import bound, impossible
from accmine.problems.sparse_dataflow.json import read_problem as problem_from_json
from accmine.problems.sparse_dataflow.json import read_solution as solution_from_json
from accmine.problems.sparse_dataflow.json import write_problem as problem_to_json
from accmine.problems.sparse_dataflow.json import write_solution as solution_to_json
from accmine.problems.sparse_dataflow.options import Candidates, LayerOptions, tabulate, tabulate_from
from accmine.problems.sparse_dataflow.problem import (
    KIND,
    MOST,
    Budget,
    Choice,
    Least,
    Problem,
    Solution,
    needs_interval,
    place_of,
    within,
)
from accmine.problems.sparse_dataflow.rules import (
    LayerRow,
    band_of,
    budget_at,
    check,
    explain,
    interval_of,
    loss_of,
    score,
    use_of,
)

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "MOST",
    "Budget",
    "Candidates",
    "Choice",
    "LayerOptions",
    "LayerRow",
    "Least",
    "Problem",
    "Solution",
    "band_of",
    "bound",
    "budget_at",
    "check",
    "explain",
    "impossible",
    "interval_of",
    "loss_of",
    "needs_interval",
    "place_of",
    "problem_from_json",
    "problem_to_json",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
    "tabulate",
    "tabulate_from",
    "use_of",
    "within",
]

EXACT_DECIMALS = True
