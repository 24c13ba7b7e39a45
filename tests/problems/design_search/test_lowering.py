"""Lowering: the schedule problem of a graph on a design and what its modes stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import RESOURCES, CostLibrary
from accmine.cost.modes import hbm_capacity
from accmine.errors import InputError
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import Solution, check
from accmine.solvers.operator_schedule.critical_path import quick
from tests.cost.test_mode_table import library
from tests.samples.search_sample import Shape, design, graph_of, planned, shapes, technology


@settings(max_examples=40)
@given(shapes(10), st.integers(1, 9), st.integers(1, 5))
def test_one_mode_set_per_work_and_every_mode_fits(found: list[Shape], tensor: int, vector: int) -> None:
    graph, d = graph_of(found), design(tensor, vector)
    part = lower(graph, library(found), d)
    problem = part.problem
    assert problem.resources == RESOURCES
    assert problem.capacity.tolist() == [tensor, vector, hbm_capacity(d)]
    assert problem.names == tuple(operator.name for operator in graph.operators)
    assert len(problem.mode_sets) == len(part.tables) == len(graph.works)
    assert problem.mode_set.tolist() == graph.work_index.tolist()
    assert problem.edges.tolist() == graph.edges.tolist()
    assert problem.fits.all()
    for modes, table in zip(problem.mode_sets, part.tables, strict=True):
        assert modes.duration.tolist() == table.duration.tolist()
        assert modes.uses.tolist() == table.uses.tolist()


@settings(max_examples=40)
@given(shapes(10), st.integers(0, 2**32 - 1))
def test_energy_and_bytes_are_sums_over_the_chosen_modes(found: list[Shape], seed: int) -> None:
    graph = graph_of(found)
    lib = library(found)
    part = lower(graph, lib, design(4, 2))
    random = np.random.default_rng(seed)
    mode = np.array([random.integers(0, part.problem.mode_count[m]) for m in part.problem.mode_set], dtype=np.int64)
    solution = Solution(np.zeros(len(graph), dtype=np.int64), mode)
    costs = lib.costs(design())
    energy, moved = 0.0, 0
    for i, operator in enumerate(graph.operators):
        uses = part.problem.mode_sets[part.problem.mode_set[i]].uses[mode[i]]
        w = lib.works.index(operator.work)
        t, v = (lib.splits.index(max(1, int(cores))) for cores in uses[:2])
        assert costs.tensor.energy_pj is not None
        assert costs.vector.energy_pj is not None
        assert costs.tensor.compulsory_pj is not None
        both = costs.tensor.energy_pj[w, t] + costs.vector.energy_pj[w, v] + costs.tensor.compulsory_pj[w]
        energy += 1e-12 * float(both)
        moved += int(costs.tensor.hbm_bytes[w, t] + costs.vector.hbm_bytes[w, v] - costs.compulsory_bytes[w])
    assert part.energy_j(solution) == pytest.approx(energy, rel=1e-12)
    assert part.hbm_bytes(solution) == moved


@settings(max_examples=30)
@given(shapes(10), st.integers(1, 4), st.integers(1, 3))
def test_the_problem_can_be_scheduled(found: list[Shape], tensor: int, vector: int) -> None:
    part = lower(graph_of(found), library(found), design(tensor, vector))
    assert check(part.problem, quick(part.problem)) == ()


def test_training_graphs_are_lowered_whole() -> None:
    plan, lib = planned(models=("gpt",))
    for phase in plan.tasks[0].phases:
        part = lower(phase.graph, lib, plan.baseline)
        assert len(part.problem) == len(phase.graph)
        assert check(part.problem, quick(part.problem)) == ()


def test_an_operator_that_fits_nowhere_is_named() -> None:
    graph = graph_of([("gemm", 64, ())])
    only_pairs = CostLibrary([graph], (2,), "tpu-like", technology())
    with pytest.raises(InputError, match="no mode of an operator fits its cores"):
        lower(graph, only_pairs, design(1, 1))
    assert len(lower(graph, only_pairs, design(2, 2)).problem) == 1
