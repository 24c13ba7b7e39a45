"""Work that waits for work of another kind."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.ports import NEVER, Clock, Stop
from accmine.problems.operator_schedule import Problem, reverse
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.problems.operator_schedule.subset_bound import energy
from accmine.solvers.schedule_bounds.progress_bound import Search, progress_bound
from accmine.solvers.schedule_bounds.progress_program import Program, classes, collect
from accmine.solving import solve
from tests.samples.bound_sample import Row, heads_of_attention, problem_of, sample


def two_phases(chains: int = 3, layers: int = 6) -> Problem:
    """Chains that need mostly the second kind of core at first and mostly the first kind later."""
    rows: list[Row] = []
    edges: list[tuple[int, int]] = []
    for _ in range(chains):
        for k in range(layers):
            for duration, uses in ((2, (1, 0)), (8, (0, 1))) if k < layers // 2 else ((8, (1, 0)), (2, (0, 1))):
                rows.append([(duration, uses)])
                if len(rows) % (2 * layers) != 1:
                    edges.append((len(rows) - 2, len(rows) - 1))
    return problem_of([1, 1], rows, edges)


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


def test_any_multipliers_give_a_valid_bound() -> None:
    problem = two_phases(2, 4)
    known = cones(problem)
    best = solve(problem, "cp-sat", stop=Stop(work=5.0)).objective
    assert best is not None
    data = collect(problem, known, energy(problem))
    rng = np.random.default_rng(5)
    for _ in range(200):
        program = Program(data, int(rng.integers(1, known.bound // 2)), int(rng.integers(0, known.bound // 2)))
        duals = [rng.exponential(0.1, len(chosen)) * rng.integers(0, 2) for chosen in program.edges]
        prices = [*rng.exponential(0.5, len(program.parts) - 1).tolist(), float("nan")]
        assert program.exact((duals, prices)) <= best


def test_classes_are_regular() -> None:
    problem = heads_of_attention(4, (2, 2), layers=2)
    found = classes(problem)
    assert sorted(found.size.tolist()) == [1] * 4 + [4] * 8
    assert len(found.edges) == 11  # three along each chain, in and out of the heads twice, one between the layers
    for seed in range(20):
        other = sample(seed)
        found = classes(other)
        assert (found.mode_set[found.of] == other.mode_set).all()
        assert found.size.sum() == len(other)


def test_one_resource_alone_waits_for_nothing() -> None:
    problem = problem_of([1, 3], [[(4, (1, 0))]] * 5, [(0, 1)])
    assert progress_bound(problem, cones(problem)) == 20
