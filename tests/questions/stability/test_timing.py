"""Kept orders: the same makespan where nothing moves, feasible schedules where something does, and monotone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import HBM_SHARES, CostLibrary, splits_for
from accmine.cost.modes import hbm_capacity
from accmine.hardware import Calibration, Constants, Design
from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_search.lowering import lower
from accmine.questions.stability.timing import Frozen, Moves, freeze, phase_cycles
from accmine.search import schedule_task
from accmine.workload import OperatorGraph
from tests.samples.search_sample import Shape, design, graph_of, paired, shapes, task_of, technology

CALIBRATIONS = [
    Calibration(),
    Calibration(array_efficiency=0.8),
    Calibration(vector_efficiency=0.5),
    Calibration(hbm_efficiency=0.6),
    Calibration(launch_s=1e-6),
    Calibration(launch_s=3e-7, array_efficiency=0.85, vector_efficiency=0.7, hbm_efficiency=0.75),
    Calibration(
        vector_efficiency=0.9,
        kinds=(
            ("product", Constants(2e-7, 0.8, hbm_efficiency=0.6, hbm_ramp_bytes=500.0, overlap=4.0, sustained=0.9)),
            ("elementwise", Constants(1e-7, 1.0, 0.8, 0.7, host_launch_s=3e-7)),
        ),
    ),
]


def frozen_of(graph: OperatorGraph, machine: Design) -> tuple[Frozen, operator_schedule.Solution, CostLibrary]:
    library = CostLibrary([graph], (1, 2, 4), "tpu-like", technology())
    phase = schedule_task(task_of(graph), library, machine, "list", Stop(), 0).phases[0]
    assert phase.result.solution is not None
    return freeze(graph, library, machine, phase.lowered, phase.result.solution), phase.result.solution, library


@settings(deadline=None, max_examples=25)
@given(shapes(10), st.sampled_from(CALIBRATIONS), st.integers(3, 70))
def test_nothing_moves_where_nothing_changes(rows: list[Shape], own: Calibration, gbps: int) -> None:
    graph, machine = graph_of(rows), replace(design(4, 2, gbps=gbps), calibration=own)
    frozen, solution, library = frozen_of(graph, machine)
    problem = lower(graph, library, machine).problem
    makespan = operator_schedule.objective(problem, solution)
    again = float(frozen.cycles(Moves.of(machine, [own]))[0])
    assert again <= makespan * (1 + 1e-12)
    # What remains is rounding to whole cycles (of bytes, of the HBM, of both sides), and what can start earlier.
    longest = operator_schedule.durations(problem, solution).max()
    assert again >= longest - 3 - 1e-9
    assert sorted(frozen.sequence.tolist()) == list(range(len(graph)))


@settings(deadline=None, max_examples=30)
@given(
    shapes(8),
    st.sampled_from(CALIBRATIONS),
    st.sampled_from(((4, 2), (5, 3), (1, 6), (8, 2))),
    st.sampled_from((3, 70, 7000)),
    st.booleans(),
)
def test_every_operator_takes_the_time_of_its_mode(
    rows: list[Shape], own: Calibration, counts: tuple[int, int], gbps: int, pair: bool
) -> None:
    graph = paired(graph_of(rows)) if pair else graph_of(rows)
    machine = replace(design(*counts, gbps=gbps), calibration=own)
    library = CostLibrary([graph], splits_for(counts, "even"), "tpu-like", technology())
    phase = schedule_task(task_of(graph), library, machine, "list", Stop(), 0).phases[0]
    assert phase.result.solution is not None
    frozen = freeze(graph, library, machine, phase.lowered, phase.result.solution)
    found = frozen.durations(Moves.of(machine, [own]))[:, 0]
    problem = phase.lowered.problem
    chosen = (problem.first_mode[problem.mode_set] + phase.result.solution.mode)[frozen.sequence]
    tables = [phase.lowered.tables[m] for m in problem.mode_set.tolist()]
    modes = phase.result.solution.mode.tolist()
    cycles = np.array([int(t.cycles[k]) for t, k in zip(tables, modes, strict=True)])[frozen.sequence]
    moved = np.array([int(t.hbm_bytes[k]) for t, k in zip(tables, modes, strict=True)])[frozen.sequence]
    duration = problem.modes.duration[chosen]
    assert np.array_equal(frozen.hbm_bytes, moved)
    assert np.all(found <= duration * (1 + 1e-12))
    if own.kinds:  # units, traffic and their norm are rounded up one after the other
        assert np.all(found > duration - 3 - 1e-9)
        return
    computing = duration == cycles + machine.launch_cycles
    # Cycles of units are rounded up when they are slowed down, and whole bytes per cycle round the time of traffic up.
    assert np.all(found > duration - 1 - 1e-9)
    nominal = own.array_efficiency == own.vector_efficiency == 1.0
    assert not nominal or np.allclose(found[computing], duration[computing], rtol=1e-12)


def _overlaps(begin: np.ndarray, end: np.ndarray, amount: np.ndarray) -> float:
    """The most that is held at once."""
    peak = 0.0
    for t in begin:
        running = (begin <= t + 1e-9) & (end > t + 1e-9 * max(1.0, t))
        peak = max(peak, float(amount[running].sum()))
    return peak


@settings(deadline=None, max_examples=35)
@given(shapes(10), st.sampled_from(CALIBRATIONS), st.sampled_from(CALIBRATIONS), st.integers(3, 70))
def test_a_kept_order_is_a_feasible_schedule(
    rows: list[Shape], own: Calibration, other: Calibration, gbps: int
) -> None:
    graph, machine = graph_of(rows), replace(design(4, 2, gbps=gbps), calibration=own)
    frozen, solution, library = frozen_of(graph, machine)
    moves = Moves.of(machine, [other])
    end = frozen.ends(moves)[:, 0]
    duration = frozen.durations(moves)[:, 0]
    begin = end - duration
    place = np.empty(len(end), dtype=int)
    place[frozen.sequence] = np.arange(len(end))
    for first, second in graph.edges.tolist():
        assert begin[place[second]] >= end[place[first]] * (1 - 1e-12)
    problem = lower(graph, library, machine).problem
    uses = problem.modes.uses[problem.first_mode[problem.mode_set] + solution.mode][frozen.sequence]
    assert _overlaps(begin, end, uses[:, 0]) <= machine.tensor_cores
    assert _overlaps(begin, end, uses[:, 1]) <= machine.vector_cores
    bandwidth = hbm_capacity(replace(machine, calibration=other))
    rate = np.divide(frozen.hbm_bytes, duration, out=np.zeros_like(duration), where=duration > 0)
    assert _overlaps(begin, end, rate) <= bandwidth * (1 + 1e-9)
    assert np.all(duration * other.best("array_efficiency") >= frozen.array * (1 - 1e-12))
    assert np.all(duration * other.best("vector_efficiency") >= frozen.vector * (1 - 1e-12))
    assert other.kinds or np.all(duration >= moves.launch_cycles)


@settings(deadline=None, max_examples=25)
@given(shapes(8), st.floats(0.5, 1), st.floats(0.5, 1), st.floats(0.5, 1), st.floats(0, 2e-6))
def test_slower_is_never_faster(rows: list[Shape], a: float, v: float, h: float, launch: float) -> None:
    machine = design(4, 2, gbps=10)
    frozen, _, _ = frozen_of(graph_of(rows), machine)
    slow = Calibration(launch_s=launch, array_efficiency=a, vector_efficiency=v, hbm_efficiency=h)
    nominal, slower = frozen.cycles(Moves.of(machine, [Calibration(), slow]))
    assert slower >= nominal
    # With everything slower by the same factor at most by that factor.
    factor = min(a, v, h)
    even = Calibration(array_efficiency=factor, vector_efficiency=factor, hbm_efficiency=factor)
    stretched = float(frozen.cycles(Moves.of(machine, [even]))[0])
    capacity = hbm_capacity(replace(machine, calibration=even)) / hbm_capacity(machine)
    assert stretched <= nominal / min(factor, capacity) * (1 + 1e-9)
    assert stretched >= nominal


def test_a_chain_is_exact() -> None:
    rows: list[Shape] = [("gemm", 300, ()), ("vector", 300, (0,)), ("fused", 64, (1,))]
    graph, machine = graph_of(rows), design(1, 1, gbps=2)
    library = CostLibrary([graph], (1,), "tpu-like", technology())
    task = task_of(graph)
    kept = phase_cycles(task, library, machine, [Calibration()], CALIBRATIONS, "list", 0)
    for calibration, cycles in zip(CALIBRATIONS, kept[0], strict=True):
        there = replace(machine, calibration=calibration)
        again = schedule_task(task, library, there, "list", Stop(), 0).phases[0].cycles
        assert cycles == pytest.approx(again, rel=2e-3), calibration  # whole cycles, and whole bytes per cycle


def test_more_schedules_are_never_longer() -> None:
    rows: list[Shape] = [("gemm", 64, ()), ("gemm", 300, ()), ("vector", 300, ()), ("fused", 64, (0, 2))]
    graph, machine = graph_of(rows), design(2, 1, gbps=5)
    library = CostLibrary([graph], (1, 2), "tpu-like", technology())
    task = task_of(graph)
    one = phase_cycles(task, library, machine, CALIBRATIONS[:1], CALIBRATIONS, "list", 0)
    all_ = phase_cycles(task, library, machine, CALIBRATIONS, CALIBRATIONS, "list", 0)
    assert np.all(all_ <= one)


def test_narrow_modes_stay_narrow() -> None:
    """Two operators bound by memory side by side share the bandwidth, also where it is lower."""
    rows: list[Shape] = [("move", 3000, ()), ("move", 3000, ())]
    graph, machine = graph_of(rows), design(2, 2, gbps=28)  # 40 bytes per cycle: every share is whole
    frozen, _, _ = frozen_of(graph, machine)
    assert set(np.round(frozen.share, 6)) <= set(HBM_SHARES)
    both = float(frozen.cycles(Moves.of(machine, [Calibration(hbm_efficiency=0.5)]))[0])
    total = frozen.hbm_bytes.sum() / hbm_capacity(replace(machine, calibration=Calibration(hbm_efficiency=0.5)))
    assert both >= total * (1 - 1e-9)
