"""Schedules as Chrome trace events, which the Perfetto UI (https://ui.perfetto.dev) opens.

Format: "Trace Event Format" of the Chromium project: complete events (``X``), counters (``C``) and
names (``M``), times in microseconds. Perfetto keeps whole nanoseconds, cuts off what is smaller, and drops a
slice that overlaps the one before it on its thread; so all times are put on whole nanoseconds here.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import CheckError, InputError
from accmine.problems.operator_schedule import Problem, Solution
from accmine.system import Timeline
from accmine.workload import OperatorGraph

__all__ = ["CORES", "Lane", "colour", "core_lanes", "link_lanes", "operator_labels", "perfetto", "timeline_lanes"]

CORES = ("tensor", "vector")
"""Resources that are cores: every unit of them is a row of its own. The others are shown as rates."""

_FIRST_THREAD = 1 << 16  # thread ids are unique in the whole trace and never equal a process id

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lane:
    """A slice on a thread, or the value of a counter over some time.

    Attributes
    ----------
    process, thread
        Device or stage, and its core; of a counter, ``thread`` is not shown.
    name
        Label of the slice, or name of the counter.
    start_s, duration_s
        Seconds, at least 0.
    args
        JSON values shown with the slice; of a counter one number by its unit.
    counter
        Whether this is a counter's value, which falls to 0 afterwards unless another one follows.
    """

    process: str
    thread: str
    name: str
    start_s: float
    duration_s: float
    args: Mapping[str, Any] = field(default_factory=dict)
    counter: bool = False

    @property
    def end_s(self) -> float:
        """End in seconds."""
        return self.start_s + self.duration_s


def perfetto(tracks: Iterable[Lane]) -> dict[str, Any]:
    """The trace of all lanes, ready for ``json.dump``.

    Processes and threads appear in the order of their first lane.

    Raises
    ------
    InputError
        If a time is negative or not finite.
    CheckError
        If two slices of a thread overlap: the schedule behind them is wrong.
    """
    processes: dict[str, int] = {}
    threads: dict[tuple[str, str], list[Lane]] = {}
    counters: dict[tuple[str, str], list[Lane]] = {}
    for lane in tracks:
        if not (0 <= lane.start_s < math.inf and 0 <= lane.duration_s < math.inf):
            raise InputError(f"{lane.name}: start {lane.start_s} s, duration {lane.duration_s} s; both must be >= 0")
        processes.setdefault(lane.process, len(processes) + 1)
        if lane.counter:
            counters.setdefault((lane.process, lane.name), []).append(lane)
        else:
            threads.setdefault((lane.process, lane.thread), []).append(lane)
    names: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for process, pid in processes.items():
        names.append(_metadata("process_name", pid, 0, name=process))
        names.append(_metadata("process_sort_index", pid, 0, sort_index=pid))
    for position, ((process, thread), lanes) in enumerate(threads.items()):
        pid, tid = processes[process], _FIRST_THREAD + position
        names.append(_metadata("thread_name", pid, tid, name=thread))
        names.append(_metadata("thread_sort_index", pid, tid, sort_index=position))
        events += _slices(lanes, pid, tid)
    for (process, _), lanes in counters.items():
        events += _values(lanes, processes[process])
    events.sort(key=lambda event: event["ts"])
    return {"traceEvents": names + events, "displayTimeUnit": "ns"}


def _metadata(kind: str, pid: int, tid: int, **args: Any) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "ts": 0, "args": args}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _microseconds(nanoseconds: int) -> float:
    """The number that, times 1000 and cut off, is ``nanoseconds`` again."""
    value = nanoseconds / 1000
    while int(value * 1000) < nanoseconds:
        value = math.nextafter(value, math.inf)
    return value


def _slices(lanes: list[Lane], pid: int, tid: int) -> list[dict[str, Any]]:
    events = []
    free = 0
    for lane in sorted(lanes, key=lambda one: (one.start_s, one.end_s)):
        start, end = _nanoseconds(lane.start_s), _nanoseconds(lane.end_s)
        if start < free - 1:  # one nanosecond is rounding
            raise CheckError(f"{lane.process}, {lane.thread}: {lane.name} starts before the slice before it ends")
        start = max(start, free)
        free = end = max(start, end)
        events.append(
            {
                "ph": "X",
                "name": lane.name,
                "pid": pid,
                "tid": tid,
                "ts": _microseconds(start),
                "dur": _microseconds(end - start),
                "args": dict(lane.args),
            }
        )
    return events


def _values(lanes: list[Lane], pid: int) -> list[dict[str, Any]]:
    points: dict[int, dict[str, Any]] = {}  # the last value at a time counts
    until = -1
    for lane in sorted(lanes, key=lambda one: one.start_s):
        points[_nanoseconds(lane.start_s)] = dict(lane.args)
        until = _nanoseconds(lane.end_s)
        points[until] = dict.fromkeys(lane.args, 0)
    events: list[dict[str, Any]] = []
    for time, args in sorted(points.items()):
        if not events or events[-1]["args"] != args:
            events.append({"ph": "C", "name": lanes[0].name, "pid": pid, "ts": _microseconds(time), "args": args})
    return events


def operator_labels(graph: OperatorGraph) -> list[dict[str, Any]]:
    """Kind, phase and layer of every operator, for the ``labels`` of :func:`core_lanes`."""
    return [{"kind": o.kind, "phase": o.phase, "layer": graph.layers[o.layer]} for o in graph.operators]


def core_lanes(
    problem: Problem,
    solution: Solution,
    *,
    process: str,
    seconds_per_unit: float,
    offset_s: float = 0.0,
    max_operators: int | None = None,
    labels: Sequence[Mapping[str, Any]] = (),
) -> list[Lane]:
    """The schedule of a graph on concrete cores, and the use of what is not a core (HBM) as counters.

    An operation on s cores appears on s threads. Cores are given out in order of the starts, the lowest free
    number first: the intervals of a valid schedule never need more cores than there are, since whatever
    runs at a start holds at most the capacity. Operations of no duration hold nothing and do not appear;
    those that hold no core stand on threads named ``other``. A core that nothing runs on has one slice of no
    duration named ``unused``, so that its row is seen to be empty.

    Parameters
    ----------
    process
        Name of the device.
    seconds_per_unit
        Seconds per time unit of the problem (1 / frequency for cycles).
    offset_s
        Time at which the schedule starts.
    max_operators
        Show only so many operations, the first ones by start. One slice on the thread ``not shown`` stands
        for the others; from its start on, a counter shows the mean over the rest of the schedule.
    labels
        More to show per operation, e.g. from :func:`operator_labels`; empty, or one per operation.

    Raises
    ------
    InputError
        If ``labels`` is of the wrong length, or ``seconds_per_unit`` or ``max_operators`` is not positive.
    CheckError
        If the schedule holds more cores than there are.
    """
    if labels and len(labels) != len(problem):
        raise InputError(f"{len(labels)} labels for {len(problem)} operations; one each, or none, is needed")
    if not 0 < seconds_per_unit < math.inf:
        raise InputError(f"seconds_per_unit {seconds_per_unit}; a positive number is needed")
    if max_operators is not None and max_operators < 1:
        raise InputError(f"max_operators {max_operators}; at least 1, or none for all, is needed")
    held = _Held.of(problem, solution)
    operators = len(held.index)
    if not operators:
        return []
    shown = operators if max_operators is None else min(max_operators, operators)
    end = int(held.end.max())
    cut = end if shown == operators else int(held.start[shown])

    def lane(thread: str, name: str, start: int, stop: int, args: Mapping[str, Any], counter: bool = False) -> Lane:
        begin_s = offset_s + start * seconds_per_unit
        return Lane(process, thread, name, begin_s, (stop - start) * seconds_per_unit, args, counter)

    lanes = []
    for thread, row in _threads(problem, held, shown):
        if row < 0:
            lanes.append(lane(thread, "unused", 0, 0, {}))
            continue
        op, start = int(held.index[row]), int(held.start[row])
        args = {**(labels[op] if labels else {}), "mode": int(solution.mode[op]), **_used(problem, held, row)}
        lanes.append(lane(thread, problem.names[op], start, start + int(held.length[row]), args))
    if shown < operators:
        lanes.append(lane("not shown", f"{operators - shown:,} more operators", cut, end, {}))
    for resource, name in enumerate(problem.resources):
        if name not in CORES:
            title = "HBM rate, % of peak" if name == "hbm" else f"{name}, % of capacity"
            for start, stop, level in _levels(held, resource, int(problem.capacity[resource]), cut, end):
                lanes.append(lane(name, title, start, stop, {"%": round(level, 3)}, counter=True))
    return lanes


@dataclass(frozen=True, eq=False)
class _Held:
    """Operations that take time, by start; ``uses`` has shape (operations, resources)."""

    index: IntArray
    start: IntArray
    length: IntArray
    uses: IntArray

    @property
    def end(self) -> IntArray:
        return self.start + self.length

    @classmethod
    def of(cls, problem: Problem, solution: Solution) -> _Held:
        chosen = problem.first_mode[problem.mode_set] + solution.mode
        length = problem.modes.duration[chosen]
        held = np.flatnonzero(length > 0)
        held = held[np.lexsort((held, solution.start[held]))]
        return cls(held, solution.start[held], length[held], problem.modes.uses[chosen[held]])


def _used(problem: Problem, held: _Held, row: int) -> dict[str, int]:
    amounts = held.uses[row].tolist()
    return {name: amount for name, amount in zip(problem.resources, amounts, strict=True) if amount}


def _threads(problem: Problem, held: _Held, shown: int) -> Iterable[tuple[str, int]]:
    """(thread, row of ``held``) by thread, a row once per core it holds; -1 on a core that is never used."""
    on_core = np.zeros(len(held.index), dtype=bool)
    for resource, name in enumerate(problem.resources):
        if name in CORES:
            on_core |= held.uses[:, resource] > 0
            yield from _numbered(name, held, held.uses[:, resource], int(problem.capacity[resource]), shown)
    rest = (~on_core).astype(np.int64)
    yield from _numbered("other", held, rest, 0, shown)


def _numbered(name: str, held: _Held, amount: IntArray, capacity: int, shown: int) -> Iterable[tuple[str, int]]:
    """Threads of one kind; without a capacity there are as many as needed."""
    rows = np.flatnonzero(amount).tolist()
    intervals = [(int(held.start[r]), int(held.end[r]), int(amount[r])) for r in rows]
    given = colour(name, intervals, capacity or len(rows))
    pairs = [(core, row) for row, cores in zip(rows, given, strict=True) for core in cores if row < shown]
    pairs += [(core, -1) for core in set(range(capacity)).difference(*given)]
    # Equal widths keep the order of the names: viewers sort threads by name.
    width = len(str(max(capacity - 1, *(core for core, _ in pairs)))) if pairs else 0
    for core, row in sorted(pairs):
        yield f"{name} {core:0{width}d}", row


def colour(name: str, intervals: Iterable[tuple[int, int, int]], capacity: int) -> list[tuple[int, ...]]:
    """Numbers for each (start, end, amount), in order of start; greedy colouring of an interval graph."""
    free = list(range(capacity))
    busy: list[tuple[int, int]] = []
    given = []
    for start, end, amount in intervals:
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if amount > len(free):
            raise CheckError(f"at {start}: {amount} of {name} needed, {len(free)} of {capacity} are free")
        cores = tuple(heapq.heappop(free) for _ in range(amount))
        for core in cores:
            heapq.heappush(busy, (end, core))
        given.append(cores)
    return given


def _levels(held: _Held, resource: int, capacity: int, cut: int, end: int) -> list[tuple[int, int, float]]:
    """(start, end, per cent of the capacity) of a resource; one mean value from ``cut`` to ``end``."""
    amount = held.uses[:, resource]
    if not amount.any() or capacity <= 0:
        return []
    times, place = np.unique(np.concatenate([held.start, held.end]), return_inverse=True)
    change = np.zeros(len(times), dtype=np.int64)
    np.add.at(change, place, np.concatenate([amount, -amount]))
    share = 100 * np.cumsum(change) / capacity
    spans = list(zip(times[:-1].tolist(), times[1:].tolist(), share[:-1].tolist(), strict=True))
    levels = [(a, min(b, cut), level) for a, b, level in spans if a < cut]
    if cut < end:
        rest = sum((b - max(a, cut)) * level for a, b, level in spans if b > cut)
        levels.append((cut, end, rest / (end - cut)))
    return levels


_SHORT = {"forward": "F", "backward": "B", "weight": "W"}


def timeline_lanes(
    timeline: Timeline,
    *,
    process: str = "pipeline",
    stages: Sequence[str] = (),
    seconds_per_unit: float = 1.0,
    offset_s: float = 0.0,
) -> list[Lane]:
    """The microbatches of a pipeline step, one thread per stage.

    Parameters
    ----------
    stages
        Names of the stages; default ``stage 0``, ``stage 1``, …
    seconds_per_unit
        Seconds per time unit of the timeline.

    Raises
    ------
    InputError
        If ``stages`` is given and not one name per stage.
    """
    if stages and len(stages) != timeline.stages:
        raise InputError(f"{len(stages)} stage names for {timeline.stages} stages; one each, or none, is needed")
    width = len(str(timeline.stages - 1))
    names = stages or [f"stage {i:0{width}d}" for i in range(timeline.stages)]
    lanes = []
    for event in sorted(timeline.events, key=lambda e: (e.stage, e.start)):
        short = _SHORT.get(event.kind)
        args: dict[str, Any] = {"phase": event.kind, "kind": event.kind}
        if event.microbatch >= 0:
            args |= {"microbatch": event.microbatch} | ({"chunk": event.chunk} if timeline.chunks > 1 else {})
        lanes.append(
            Lane(
                process,
                names[event.stage],
                f"{short}{event.microbatch}" if short else event.kind,
                offset_s + float(event.start) * seconds_per_unit,
                float(event.end - event.start) * seconds_per_unit,
                args,
            )
        )
    return lanes


def link_lanes(
    timeline: Timeline, sends: Sequence[float], *, process: str = "links", seconds_per_unit: float = 1.0
) -> list[Lane]:
    """Messages between the stages of a pipeline step, one thread per boundary and direction.

    Parameters
    ----------
    sends
        Time of a message over each boundary, the same in both directions; shape (stages · chunks - 1,).
    """
    free: dict[tuple[int, int, str], float] = {}
    lanes = []
    for event in sorted(timeline.events, key=lambda e: e.end):
        stage = event.chunk * timeline.stages + event.stage
        to = stage + {"forward": 1, "backward": -1}.get(event.kind, 0)
        boundary, link = min(stage, to), (event.stage, to % timeline.stages)
        if to == stage or not 0 <= boundary < len(sends) or not sends[boundary]:
            continue
        # A device sends one message of each kind at a time.
        start = max(event.end, free.get((*link, event.kind), 0))
        free[*link, event.kind] = start + sends[boundary]
        name = f"{_SHORT[event.kind]}{event.microbatch}"
        thread = f"stage {link[0]} → {link[1]}" + (f" {event.kind}" if timeline.chunks > 1 else "")
        times = start * seconds_per_unit, sends[boundary] * seconds_per_unit
        lanes.append(Lane(process, thread, name, *times, {"microbatch": event.microbatch}))
    order = sorted({lane.thread for lane in lanes}, key=lambda name: [int(n) for n in name.split() if n.isdigit()])
    return sorted(lanes, key=lambda lane: (order.index(lane.thread), lane.start_s))
