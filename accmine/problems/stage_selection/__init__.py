"""Stage selection: one candidate design per stage under area and power limits that all stages share."""

from accmine.problems.stage_selection.json import read_problem as problem_from_json
from accmine.problems.stage_selection.json import read_solution as solution_from_json
from accmine.problems.stage_selection.json import write_problem as problem_to_json
from accmine.problems.stage_selection.json import write_solution as solution_to_json
from accmine.problems.stage_selection.objectives import AGGREGATES, OBJECTIVES, Aggregate, Objective
from accmine.problems.stage_selection.problem import (
    DEPLOYMENTS,
    KIND,
    MODES,
    Candidate,
    Limits,
    Pipeline,
    Problem,
    Solution,
    Stage,
)
from accmine.problems.stage_selection.rules import (
    bound,
    check,
    impossible,
    objective,
    score,
    sense,
    shown,
    shown_bound,
    step_seconds,
    totals,
)

__all__ = [
    "AGGREGATES",
    "DEPLOYMENTS",
    "EXACT_DECIMALS",
    "KIND",
    "MODES",
    "OBJECTIVES",
    "Aggregate",
    "Candidate",
    "Limits",
    "Objective",
    "Pipeline",
    "Problem",
    "Solution",
    "Stage",
    "bound",
    "check",
    "impossible",
    "objective",
    "problem_from_json",
    "problem_to_json",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
    "step_seconds",
    "totals",
]

EXACT_DECIMALS = False
