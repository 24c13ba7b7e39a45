"""Work that waits for work of another kind."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.ports import NEVER, Clock, Stop
from accmine.problems.operator_schedule import reverse
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.problems.operator_schedule.subset_bound import energy
from accmine.solvers.schedule_bounds.progress_bound import Search, progress_bound
from accmine.solvers.schedule_bounds.progress_program import collect
from accmine.solving import solve
from tests.samples.bound_sample import problem_of, sample, two_phases


@pytest.mark.parametrize("turned", [False, True])
def test_one_kind_cannot_be_busy_at_first(turned: bool) -> None:
    problem = reverse(two_phases()) if turned else two_phases()
    known = cones(problem)
    found = progress_bound(problem, known)
    best = solve(problem, "cp-sat", stop=Stop(work=5.0)).objective
    assert best is not None
    assert known.bound < found <= best
    assert progress_bound(problem, known, target=known.bound) == known.bound  # nothing to look for
    assert progress_bound(problem, known, clock=Clock(0.0)) == known.bound


def test_valid_for_any_times() -> None:
    for seed in range(400, 440):
        problem = sample(seed, 12)
        best = solve(problem, "cp-sat", stop=Stop(work=1.0)).objective
        known = cones(problem)
        assert best is not None
        assert known.bound <= progress_bound(problem, known) <= best
        search = Search(collect(problem, known, energy(problem)), None, NEVER)
        rng = np.random.default_rng(seed)
        for _ in range(4):
            tau = int(rng.integers(0, known.bound + 1))
            sigma = int(rng.integers(0, known.bound - tau + 1))
            assert search.look(tau, sigma) <= best


def test_one_resource_alone_waits_for_nothing() -> None:
    problem = problem_of([1, 3], [[(4, (1, 0))]] * 5, [(0, 1)])
    assert progress_bound(problem, cones(problem)) == 20
