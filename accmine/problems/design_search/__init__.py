"""Design search: the one design of a template that runs a set of tasks best under area and TDP limits."""

from accmine.problems.design_search.problem import (
    KIND,
    TIE,
    Evaluation,
    Mined,
    Problem,
    Solution,
    aggregate,
    best,
    check,
    cost_library,
    evaluate,
    fits,
    lowered,
    score,
)

__all__ = [
    "KIND",
    "TIE",
    "Evaluation",
    "Mined",
    "Problem",
    "Solution",
    "aggregate",
    "best",
    "check",
    "cost_library",
    "evaluate",
    "fits",
    "lowered",
    "score",
]
