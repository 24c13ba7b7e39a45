"""The program of work that waits: its classes, and a bound whatever the multipliers are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.problems.operator_schedule.reduction import reduced
from accmine.problems.operator_schedule.subset_bound import energy
from accmine.solvers.schedule_bounds.progress_program import Program, classes, collect
from accmine.solving import solve
from tests.samples.bound_sample import heads_of_attention, sample, two_phases


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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_edges_of_classes_have_equally_many_members_on_both_sides(seed: int) -> None:
    problem = sample(seed)
    found, line = classes(problem), reduced(problem)
    edges = {(int(a), int(b)) for a, b in found.edges}
    members = [np.flatnonzero(found.of == k).tolist() for k in range(len(found.size))]
    for a in range(len(members)):
        for b in range(len(members)):
            forward = {sum(int(found.of[j]) == b for j in line.successors[i]) for i in members[a]}
            backward = {sum(int(found.of[i]) == a for i in line.predecessors[j]) for j in members[b]}
            regular = len(forward) == len(backward) == 1 and forward != {0}
            assert ((a, b) in edges) == regular


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_a_class_has_the_least_head_and_tail_and_all_the_work(seed: int) -> None:
    problem = sample(seed)
    known, needed = cones(problem), energy(problem)
    found, data = classes(problem), collect(problem, known, needed)
    for k in range(len(found.size)):
        own = found.of == k
        assert data.head[k] == known.head[own].min()
        assert data.tail[k] == known.tail[own].min()
        assert [column[k] for column in data.work] == needed.work[own].sum(axis=0).tolist()
    assert data.bound == known.bound
