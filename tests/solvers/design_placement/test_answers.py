"""Cuts whose fullest stage is least, beside those of the least chain."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from accmine.problems.design_placement.plans import Terms
from accmine.solvers.design_placement.answers import _equal_loads
from tests.samples.placement_sample import placement_problem


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
@pytest.mark.parametrize("longest", [7, 3])
def test_no_cut_has_a_shorter_fullest_stage(stages: int, longest: int) -> None:
    """Five blocks between embeddings and head; memory holds so many layers of a stage."""
    problem = placement_problem(
        layers=5, tensor=(1,), microbatch=(1,), recompute=("none",), pipeline=(stages,), data=(1,)
    )
    terms = Terms(problem, problem.variants[0])
    plan = terms.plans().take(np.array([0]))
    seconds = np.array([[0.5, 0.5, 0.0], [1.0, 2.0, 0.0], [2.0, 2.5, 0.0]])
    layers = [1.0, *[3.0] * 5, 4.5]
    reach = np.tile(np.minimum(np.arange(7) + longest, 7), (stages, 1))

    def fullest(firsts: tuple[int, ...]) -> float:
        return max(sum(layers[a:b]) for a, b in pairwise((*firsts, 7)))

    cuts = [(0, *cut) for cut in combinations(range(1, 7), stages - 1)]
    allowed = [cut for cut in cuts if all(b - a <= longest for a, b in pairwise((*cut, 7)))]
    found = _equal_loads(terms, plan, seconds, reach)
    if not allowed:
        assert found is None
    else:
        assert found in allowed
        assert fullest(found) == min(fullest(cut) for cut in allowed)
