"""Times of a design under many calibrations at once, from schedules whose order is kept.

A schedule of a phase is frozen: which mode an operator runs in, how it is cut over cores, which share of the HBM it
holds, and which operators hand their cores and their share on to which. What is left is a graph, and under other
durations its longest path is the makespan of a schedule that is feasible again. That costs one pass of numpy for all
calibrations together, where scheduling again costs a second each. Several schedules of a phase, made under different
calibrations, are frozen, and the shortest counts.

Measured operators keep their time, launch included, whatever is drawn: only too little HBM bandwidth slows them down.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.cost import HBM_SHARES, INTERPOLATED, MEASURED, CostLibrary
from accmine.cost.corrections import Corrections, corrections
from accmine.cost.modes import hbm_capacity
from accmine.hardware import Calibration, Design
from accmine.ports import Stop
from accmine.problems.design_search.lowering import Lowered
from accmine.problems.operator_schedule import Solution
from accmine.problems.operator_schedule.precedence import order_of
from accmine.search import schedule_task
from accmine.workload import OperatorGraph, Task
from accmine.workload.work import Work

__all__ = ["Frozen", "Moves", "freeze", "phase_cycles"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

SLOWEST = 1.6
"""An operator's share of the HBM is widened, where the schedule leaves room, to what it needs if the bandwidth falls by
this factor against its computing: else one that computes would seem bound by memory as soon as the HBM is slower."""


@dataclass(frozen=True, eq=False)
class Moves:
    """A design under many calibrations; arrays of shape (calibrations,).

    ``launch_cycles`` is that of products, ``hbm_bytes_per_cycle`` what operators of the best kind get.
    """

    designs: tuple[Design, ...]
    launch_cycles: FloatArray
    hbm_bytes_per_cycle: FloatArray

    @classmethod
    def of(cls, design: Design, calibrations: Sequence[Calibration]) -> Moves:
        """Those of ``design``."""
        designs = tuple(replace(design, calibration=calibration) for calibration in calibrations)
        return cls(
            designs,
            np.array([d.launch_cycles for d in designs], dtype=np.float64),
            np.array([hbm_capacity(d) for d in designs], dtype=np.float64),
        )


@dataclass(frozen=True, eq=False)
class Frozen:
    """The order of a schedule, and what its operators do; operators in the order of their starts.

    Attributes
    ----------
    sequence
        Index of each operator in the graph.
    array, vector, other
        Cycles without corrections on arrays, on vector units, and at ports or as measured; shapes (operators,).
    hbm_bytes
        Traffic; shape (operators,).
    launch
        Cycles of the launch of measured operators, which is part of what was measured; NaN for the others, whose launch
        is that of a calibration; shape (operators,).
    share, held
        Shares of the HBM, 0 to 1: that of the mode, and that which no other operator uses meanwhile; shapes
        (operators,).
    before
        Indices of the operators that end before each begins.
    works, work
        Distinct works, and the index of that of each operator; shape (operators,).
    """

    sequence: IntArray
    array: FloatArray
    vector: FloatArray
    other: FloatArray
    hbm_bytes: FloatArray
    launch: FloatArray
    share: FloatArray
    held: FloatArray
    before: tuple[tuple[int, ...], ...]
    works: tuple[Work, ...]
    work: IntArray

    def durations(self, moves: Moves) -> FloatArray:
        """Cycles of each operator under each calibration; shape (operators, calibrations)."""
        columns = [self._under(*both) for both in zip(moves.designs, moves.hbm_bytes_per_cycle.tolist(), strict=True)]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.array), 0))

    def _under(self, design: Design, bandwidth: float) -> FloatArray:
        """Cycles of each operator on a design; shape (operators,)."""
        measured = ~np.isnan(self.launch)
        own = corrections(self.works, design).take(self.work).but_measured(measured)
        computing = np.maximum(
            np.maximum(own.array_cycles(self.array), self.vector / own.vector_efficiency), self.other
        )
        moved = own.busy_bytes(self.hbm_bytes)
        work = own.norm(computing, moved / (self.share * bandwidth))
        work = np.maximum(own.host_cycles, work + np.where(measured, self.launch, own.launch_cycles))
        return np.maximum(work, moved / (self.held * bandwidth))

    def ends(self, moves: Moves) -> FloatArray:
        """End of each operator under each calibration, every one started as early as the order allows."""
        end = self.durations(moves)
        for i, before in enumerate(self.before):
            if len(before) == 1:
                end[i] += end[before[0]]
            elif before:
                end[i] += end[list(before)].max(axis=0)
        return end

    def cycles(self, moves: Moves) -> FloatArray:
        """Makespan under each calibration; shape (calibrations,)."""
        if not len(self.array):
            return np.zeros(len(moves.launch_cycles))
        return np.asarray(self.ends(moves).max(axis=0))


def freeze(graph: OperatorGraph, library: CostLibrary, design: Design, lowered: Lowered, solution: Solution) -> Frozen:
    """The order of a schedule of ``graph`` on ``design``; the calibration is that of ``design``."""
    problem = lowered.problem
    capacity = problem.capacity.astype(np.int64)
    rows = problem.first_mode[problem.mode_set] + solution.mode
    duration, uses = problem.modes.duration[rows], problem.modes.uses[rows].copy()
    position = np.empty(len(problem), dtype=np.int64)
    position[_sorted(graph, solution, duration)] = np.arange(len(problem))
    sequence = np.argsort(position)
    work = library.index(graph)[graph.work_index]
    array, vector, other, moved, launch, cycles = _work(work, library, design, uses)
    own = library.costs(design).corrections.take(work)
    compute = np.maximum(cycles, 1.0)
    share = _shares(duration, own, moved, cycles, int(capacity[2]))
    moved_whole = own.busy_bytes(moved)
    wanted = np.minimum(capacity[2], np.ceil(SLOWEST * moved_whole / compute)).astype(np.int64)
    start, end = solution.start, solution.start + duration
    uses[:, 2] = _widened(start, end, uses[:, 2], np.maximum(wanted, uses[:, 2]), int(capacity[2]), sequence)
    before: list[set[int]] = [set() for _ in range(len(problem))]
    for first, second in graph.edges.tolist():
        before[second].add(first)
    for resource in range(len(capacity)):
        _hand_over(start.tolist(), end.tolist(), uses[:, resource].tolist(), int(capacity[resource]), sequence, before)
    held = np.maximum(uses[:, 2], 1) / float(capacity[2])
    return Frozen(
        sequence,
        array[sequence],
        vector[sequence],
        other[sequence],
        moved[sequence],
        launch[sequence],
        share[sequence],
        np.where(moved > 0, held, 1.0)[sequence],
        tuple(tuple(sorted(int(position[p]) for p in before[i])) for i in sequence.tolist()),
        tuple(library.works),
        work[sequence],
    )


def _sorted(graph: OperatorGraph, solution: Solution, duration: IntArray) -> IntArray:
    """Operators by start; of those that start together the ones without duration first, in the order of the graph."""
    rank = np.empty(len(graph), dtype=np.int64)
    rank[np.array(order_of(len(graph), graph.edges).sequence, dtype=np.int64)] = np.arange(len(graph))
    return np.lexsort((rank, duration > 0, solution.start))


def _work(
    work: IntArray, library: CostLibrary, design: Design, uses: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, IntArray]:
    """Of every operator: cycles on arrays, on vector units and elsewhere, without corrections; bytes; fixed launch; and
    cycles of computing on the design as it is.
    """
    costs = library.costs(design)
    peak = library.costs(replace(design, calibration=Calibration(tiles=design.calibration.tiles)))
    t, v = (np.searchsorted(np.array(costs.splits), np.maximum(1, uses[:, side])) for side in (0, 1))
    array, vector = costs.tensor.cycles[work, t], costs.vector.cycles[work, v]
    other = np.maximum(costs.tensor.port_cycles[work, t], costs.vector.port_cycles[work, v])
    moved = costs.tensor.hbm_bytes[work, t] + costs.vector.hbm_bytes[work, v] - costs.compulsory_bytes[work]
    # No correction applies to what was measured; of a fused operator that is the product alone.
    uses_tensor = costs.uses_tensor[work]
    measured = np.isin(library.origin(design)[work, np.where(uses_tensor, t, v)], (MEASURED, INTERPOLATED))
    fused = uses_tensor & costs.uses_vector[work]
    product = np.maximum(array, other)
    fixed = np.where(fused, product, np.maximum(product, vector))
    return (
        np.where(measured, 0, peak.tensor.cycles[work, t]).astype(np.float64),
        np.where(measured & ~fused, 0, peak.vector.cycles[work, v]).astype(np.float64),
        np.where(measured, fixed, other).astype(np.float64),
        moved.astype(np.float64),
        np.where(measured, costs.corrections.launch_cycles[work].astype(np.float64), np.nan),
        np.maximum(product, vector),
    )


def _shares(duration: IntArray, own: Corrections, moved: FloatArray, cycles: IntArray, bandwidth: int) -> FloatArray:
    """The share of the bandwidth of each mode: 1 unless it runs for as long as a smaller share takes."""
    share = np.ones(len(duration))
    busy = own.busy_bytes(moved)
    for candidate in HBM_SHARES[1:]:
        rate = max(1, int(bandwidth * candidate))
        narrow = (busy > cycles * bandwidth) & (own.durations(cycles, moved, rate) == duration)
        share[narrow] = rate / bandwidth
    return share


def _widened(
    start: IntArray, end: IntArray, rate: IntArray, wanted: IntArray, capacity: int, sequence: IntArray
) -> IntArray:
    """Rates raised towards ``wanted`` by what nobody uses while the operator runs, in the order of the starts."""
    times = np.unique(np.concatenate([start, end]))
    first, last = np.searchsorted(times, start), np.searchsorted(times, end)
    change = np.zeros(len(times) + 1, dtype=np.int64)
    np.add.at(change, first, rate)
    np.add.at(change, last, -rate)
    spare = capacity - np.cumsum(change)
    widened = rate.copy()
    for i in sequence.tolist():
        lacking = int(wanted[i] - rate[i])
        if lacking <= 0 or first[i] == last[i]:
            continue
        window = spare[first[i] : last[i]]
        more = min(lacking, int(window.min()))
        if more > 0:
            widened[i] += more
            window -= more
    return widened


def _hand_over(
    start: list[int], end: list[int], amount: list[int], capacity: int, sequence: IntArray, before: list[set[int]]
) -> None:
    """Who hands a resource on to whom, as further predecessors: what is free longest is taken first."""
    free: list[list[int]] = [[-1, -1, capacity]]  # time since it is free, who held it, how much
    running: list[tuple[int, int]] = []
    head = 0
    for i in sequence.tolist():
        needed = amount[i]
        if needed == 0 or start[i] == end[i]:
            continue
        while running and running[0][0] <= start[i]:
            ended, who = heapq.heappop(running)
            free.append([ended, who, amount[who]])
        while needed:
            piece = free[head]
            taken = min(needed, piece[2])
            piece[2] -= taken
            needed -= taken
            if piece[1] >= 0:
                before[i].add(piece[1])
            if piece[2] == 0:
                head += 1
        heapq.heappush(running, (end[i], i))


def phase_cycles(
    task: Task,
    library: CostLibrary,
    design: Design,
    scenarios: Sequence[Calibration],
    calibrations: Sequence[Calibration],
    effort: str,
    seed: int,
) -> FloatArray:
    """Makespans of the phases of ``task`` on ``design`` under every calibration; shape (phases, calibrations).

    Each is that of a feasible schedule: the order, of those made under ``scenarios``, that is the shortest there.

    Parameters
    ----------
    effort
        ``list`` or ``none``, as in ``accmine.search.schedules.schedule_task``.
    """
    moves = Moves.of(design, calibrations)
    best = np.full((len(task.phases), len(calibrations)), np.inf)
    for calibration in dict.fromkeys(scenarios):
        placed = replace(design, calibration=calibration)
        done = schedule_task(task, library, placed, effort, Stop(), seed)
        for row, run, phase in zip(best, task.phases, done.phases, strict=True):
            assert phase.result.solution is not None
            frozen = freeze(run.graph, library, placed, phase.lowered, phase.result.solution)
            np.minimum(row, frozen.cycles(moves), out=row)
    return best
