"""Kernel programs: instructions with numbers in loops over resources, and what their cycles mean.

The boundary between descriptions and timing. ``resolve`` makes a program of an architecture and a kernel; the
recurrence, the max-plus matrices, the event graph, the simulator and the sizing problem each take programs and nothing
else.

Timing
------
One semantics, in the manner of ACADL (Lübeck et al., arXiv 2402.00069) and pinned here, since its published templates
differ in cycles. All numbers are whole cycles ≥ 0, and everything is free and written at cycle 0. Instructions are
taken in program order; n is one of them, with the path s(1), …, s(m) where s(m) is its unit. "Before", "last" and "in
turn" speak of program order, never of time, also between instructions whose paths begin at different stations.

Entering. Station s has c slots and an interval v:
    enter(n, s) ≥ leave(the c-th instruction before n that used s, s)     slot; hand-over in the same cycle
    enter(n, s) ≥ enter(the instruction before n that used s, s) + v      interval
    enter(n, s(1)) is the least such cycle ≥ 0, enter(n, s(j + 1)) = leave(n, s(j)).
Where paths merge, instructions enter in program order too, in the same cycle if the interval is 0.

Leaving a station before the unit: the least cycle with
    leave(n, s(j)) ≥ enter(n, s(j)) + latency(n, j)                       latency
    leave(n, s(j)) ≥ leave(the instruction before n that used s(j), s(j)) order: first in, first out
    and what entering s(j + 1) asks for                                   back-pressure

Starting in the unit: it is occupied while its instruction waits.
    start(n) ≥ enter(n, s(m))
    start(n) ≥ finish(the last writer of each location that n reads or updates)      RAW
    start(n) ≥ finish(the last writer, and every reader, of each slot it writes or updates)   WAW, WAR
    start(n) ≥ free(the k-th access before it of each port group with k ports)       port
    finish(n) = start(n) + latency(n); leave(n, s(m)) = start(n) + hold(n); free = start(n) + hold of the access.

Locations have slots too: a write takes the next slot in turn, a read looks at the slot written last, an update does
both to the slot written last and takes no new one. What an instruction reads and updates is looked at before it writes;
one that reads and writes the same location reads the old slot. Slots of units and ports of a group are taken in turn,
in program order; instructions in different slots, or at different ports, may start in any order.

The latency of a program is the greatest finish, whatever is still held then. All of it is max and plus of earlier
times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Access", "Issue", "Location", "Port", "Program", "Repeat", "Station", "Step", "issues", "joined"]


@dataclass(frozen=True)
class Station:
    """A place that instructions pass through or, a unit, end in.

    Attributes
    ----------
    slots
        Instructions it holds at once, at least 1.
    interval
        Least cycles between two that enter, at least 0.
    """

    name: str
    slots: int = 1
    interval: int = 0


@dataclass(frozen=True)
class Port:
    """A group of ``count`` ≥ 1 ports, taken in turn."""

    name: str
    count: int = 1


@dataclass(frozen=True)
class Location:
    """A register or buffer with ``slots`` ≥ 1 copies that writes take in turn."""

    name: str
    slots: int = 1


@dataclass(frozen=True)
class Step:
    """A station before the unit, and the least cycles from entering to leaving it."""

    station: str
    latency: int = 0


@dataclass(frozen=True)
class Access:
    """A port group that is taken at the start, and the cycles for which."""

    port: str
    hold: int


@dataclass(frozen=True)
class Issue:
    """One instruction with numbers.

    Attributes
    ----------
    label
        What messages and bottlenecks call it: its mnemonic, or the name that the kernel gives it.
    steps
        Stations before the unit, from the fetch on; a station at most once.
    unit
        Station in which it ends; no station is a unit for one instruction and a step for another.
    latency
        Cycles from start to finish, accesses to memories included.
    hold
        Cycles from start to leaving the unit: the latency, less where the unit is pipelined, more where it recovers.
    accesses
        At most one per port group.
    reads, writes, updates
        Names of locations, each once; none in two of ``writes`` and ``updates``.
    """

    label: str
    steps: tuple[Step, ...]
    unit: str
    latency: int
    hold: int
    accesses: tuple[Access, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """``trips`` ≥ 1 times the body; a program of its own at its place."""

    trips: int
    body: tuple[Issue | Repeat, ...]
    name: str = ""


@dataclass(frozen=True)
class Program:
    """Instructions in loops, and the resources they name; each resource by its name."""

    body: tuple[Issue | Repeat, ...]
    stations: Mapping[str, Station]
    ports: Mapping[str, Port] = field(default_factory=dict)
    locations: Mapping[str, Location] = field(default_factory=dict)
    name: str = "kernel"

    @property
    def instructions(self) -> int:
        """How many instructions it issues in all; any size."""
        return _count(self.body)


def _count(body: tuple[Issue | Repeat, ...]) -> int:
    return sum(item.trips * _count(item.body) if isinstance(item, Repeat) else 1 for item in body)


def issues(body: tuple[Issue | Repeat, ...]) -> Iterator[Issue]:
    """Every instruction of the text once, in program order, whatever its loops."""
    for item in body:
        if isinstance(item, Repeat):
            yield from issues(item.body)
        else:
            yield item


def joined(body: tuple[Issue | Repeat, ...]) -> tuple[Issue | Repeat, ...]:
    """A body in which a loop that holds nothing but a loop is one loop."""
    out: list[Issue | Repeat] = []
    for item in body:
        if isinstance(item, Issue):
            out.append(item)
            continue
        inside, trips, name = joined(item.body), item.trips, item.name
        if len(inside) == 1 and isinstance(only := inside[0], Repeat):
            inside, trips, name = only.body, trips * only.trips, only.name
        out.append(Repeat(trips, inside, name))
    return tuple(out)
