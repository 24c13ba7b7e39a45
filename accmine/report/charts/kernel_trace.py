"""The first iterations of a kernel as a trace: who was in which station, what it waited for, who took which port."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import write_atomic
from accmine.kernel.program import Issue, Program, Repeat
from accmine.kernel.simulator import Passage, simulate
from accmine.report.charts.trace import Lane, colour, perfetto

__all__ = ["SECONDS_PER_CYCLE", "kernel_lanes", "write_kernel_trace"]

SECONDS_PER_CYCLE = 1e-9
"""A cycle is shown as a nanosecond, whatever the clock: Perfetto keeps nothing smaller."""

_Slice = tuple[int, int, str, Mapping[str, Any]]
"""Start and end in cycles, name, and what is shown with it."""


def kernel_lanes(program: Program, *, first: int = 1_000) -> list[Lane]:
    """Slices of the first instructions, by the simulator; their times do not depend on later ones.

    A station has a thread for each instruction that is in it at once, a port group one for each port taken at once. In
    a unit an instruction is shown until it has both finished and left; what it waits in its unit, and in a stage beyond
    the latency of that stage, is a slice of its own named ``… waits``.

    Parameters
    ----------
    first
        Instructions, in program order.

    Raises
    ------
    InputError
        If ``first`` is not positive.
    SimulationLimitError
        If they are more than the simulator takes.
    """
    if first < 1:
        raise InputError(f"first {first}; a trace shows at least 1 instruction")
    seen = simulate(program, first=first)
    stations: dict[str, list[list[_Slice]]] = {name: [] for name in program.stations}
    ports: dict[str, list[list[_Slice]]] = {name: [] for name in program.ports}
    for number, (passage, rounds) in enumerate(zip(seen.passages, _rounds(program.body, {}), strict=False)):
        issue = passage.issue
        args = {"instruction": number, "iteration": rounds, "start": passage.start, "finish": passage.finish}
        for station, slices in _stays(passage, args):
            stations[station].append(slices)
        for access in issue.accesses:
            ports[access.port].append([(passage.start, passage.start + access.hold, issue.label, args)])
    lanes: list[Lane] = []
    for process, groups in (("stations", stations), ("ports", ports)):
        for name, stays in groups.items():
            lanes += _rows(f"{program.name}: {process} (1 cycle = 1 ns)", name, stays)
    return lanes


def write_kernel_trace(path: Path, program: Program, *, first: int = 1_000) -> None:
    """Write :func:`kernel_lanes` as a file that the Perfetto UI opens.

    Raises
    ------
    InputError, SimulationLimitError
        As :func:`kernel_lanes`; nothing is written then.
    """
    write_atomic(path, json.dumps(perfetto(kernel_lanes(program, first=first)), allow_nan=False) + "\n")


def _rounds(body: tuple[Issue | Repeat, ...], outer: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
    """Per instruction issued, the iteration of each loop around it, from 0."""
    for item in body:
        if isinstance(item, Issue):
            yield outer
            continue
        name = item.name or "loop"
        while name in outer:
            name += "'"
        for trip in range(item.trips):
            yield from _rounds(item.body, {**outer, name: trip})


def _stays(passage: Passage, args: Mapping[str, Any]) -> Iterator[tuple[str, list[_Slice]]]:
    """Per station of the path, the slices of the stay: working, and waiting before (unit) or after it (stage)."""
    label = passage.issue.label
    for step, enter, leave in zip(passage.issue.steps, passage.enter[:-1], passage.leave[:-1], strict=True):
        yield step.station, _cut(label, (enter, enter + step.latency, leave), (label, f"{label} waits"), args)
    end = max(passage.finish, passage.leave[-1])
    times = (passage.enter[-1], passage.start, end)
    yield passage.issue.unit, _cut(label, times, (f"{label} waits", label), args)


def _cut(label: str, times: tuple[int, int, int], names: tuple[str, str], args: Mapping[str, Any]) -> list[_Slice]:
    """Two slices in a row; a wait of no cycles is none."""
    pairs = zip(times[:-1], times[1:], names, strict=True)
    return [(start, end, name, args) for start, end, name in pairs if name == label or end > start]


def _rows(process: str, name: str, stays: list[list[_Slice]]) -> Iterator[Lane]:
    """Stays that overlap on threads of their own, the lowest free one first."""
    stays.sort(key=lambda slices: (slices[0][0], slices[-1][1]))
    rows = [row for (row,) in colour(name, [(s[0][0], s[-1][1], 1) for s in stays], len(stays))]
    several = max(rows, default=0) > 0
    order = sorted(range(len(stays)), key=rows.__getitem__)  # threads appear in the order of their first slice
    for place in order:
        thread = f"{name} {rows[place]}" if several else name
        for start, end, label, args in stays[place]:
            yield Lane(process, thread, label, start * SECONDS_PER_CYCLE, (end - start) * SECONDS_PER_CYCLE, args)
