"""Programs cycle by cycle, as hardware would run them: queues, slots, ports and a scoreboard.

The oracle of the rules in ``program.py``. It moves instructions between stations and knows only what happened until
now; no formula of the recurrence is here, and no code of it. Whatever is taken "in turn, in program order" is a ticket
that an instruction holds from the start, as a decoder would hand it out: its turn at a station, the port and its turn
there, the copy of a location and its version.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from accmine.errors import CheckError, NothingFoundError
from accmine.kernel.program import Issue, Program, Repeat, Station

__all__ = ["Passage", "Simulation", "SimulationLimitError", "simulate"]


class SimulationLimitError(NothingFoundError):
    """More instructions or cycles than a simulation may take (exit code 4)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """An instruction's way, in cycles.

    Attributes
    ----------
    enter, leave
        Of every station of its path, the unit last.
    start, finish
        In the unit.
    """

    issue: Issue
    enter: tuple[int, ...]
    leave: tuple[int, ...]
    start: int
    finish: int


@dataclass(frozen=True)
class Simulation:
    """What was seen.

    Attributes
    ----------
    passages
        One per instruction issued, in program order.
    cycles
        The greatest finish; 0 without instructions.
    held
        Per station, cycles times slots between entering and leaving, waiting included.
    busy
        Per unit, cycles times slots between start and leaving; per port group, cycles times ports taken.
    """

    passages: tuple[Passage, ...]
    cycles: int
    held: Mapping[str, int]
    busy: Mapping[str, int]


@dataclass(slots=True)
class _Copy:
    """A slot of a location: the version written last that has finished, and how many have read it."""

    version: int = 0
    readers_done: int = 0


@dataclass(slots=True)
class _Server:
    """A port: how many accesses have begun, and until when the last one takes it."""

    begun: int = 0
    free_at: int = 0


@dataclass(slots=True, eq=False)
class _Flight:
    """An instruction and its tickets.

    ``versions``: which version of which copy must have finished; ``overwrites``: the same, and how many readers of it;
    ``reads``, ``writes``: the copies that it counts as a reader of or gives a new version; ``turns``: its turn at each
    server.
    """

    issue: Issue
    path: tuple[str, ...]
    at: int = -1
    ready_at: int = 0
    start: int = -1
    enter: list[int] = field(default_factory=list)
    leave: list[int] = field(default_factory=list)
    versions: list[tuple[_Copy, int]] = field(default_factory=list)
    overwrites: list[tuple[_Copy, int, int]] = field(default_factory=list)
    reads: list[_Copy] = field(default_factory=list)
    writes: list[_Copy] = field(default_factory=list)
    turns: list[tuple[_Server, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """A station: who is inside, who will come in which order, and when it opens again."""

    station: Station
    coming: deque[_Flight] = field(default_factory=deque)
    inside: deque[_Flight] = field(default_factory=deque)  # of a stage: first in, first out
    cells: list[_Flight | None] = field(default_factory=list)  # of a unit: slots in turn
    entered: int = 0
    opens_at: int = 0

    def admits(self, flight: _Flight, now: int) -> bool:
        if self.coming[0] is not flight or now < self.opens_at:
            return False
        slots = self.station.slots
        return self.cells[self.entered % slots] is None if self.cells else len(self.inside) < slots


def simulate(
    program: Program,
    *,
    first: int | None = None,
    most_instructions: int = 200_000,
    most_cycles: int = 1_000_000_000,
) -> Simulation:
    """Run a program, or its first instructions, whose times do not depend on later ones.

    Parameters
    ----------
    first
        So many instructions in program order; ``None``: all.

    Raises
    ------
    SimulationLimitError
        If more instructions would be issued than ``most_instructions``, or cycles pass than ``most_cycles``.
    CheckError
        If a path has a station twice or a unit as a step; if nothing can move any more, a defect.
    """
    count = program.instructions if first is None else min(first, program.instructions)
    if count > most_instructions:
        raise SimulationLimitError(
            f"{program.name}: {count:,} instructions; a simulation takes at most {most_instructions:,}"
        )
    machine = _Machine(program, count)
    now = 0
    while True:
        machine.settle(now)
        if machine.left == 0:
            return machine.seen()
        later = machine.next_moment(now)
        if later is None:
            raise CheckError(f"{program.name}: at cycle {now} {machine.left} instructions can never move")
        if later > most_cycles:
            raise SimulationLimitError(f"{program.name}: not at its end after {most_cycles:,} cycles")
        now = later


class _Machine:
    """The state of all that an instruction can pass through or take."""

    def __init__(self, program: Program, count: int) -> None:
        self.places = {name: _Place(station) for name, station in program.stations.items()}
        stream = islice(_stream(program.body), count)
        self.flights = [_Flight(one, (*(step.station for step in one.steps), one.unit)) for one in stream]
        self.left = 2 * count  # each has to finish and to leave its unit
        self.moments: list[int] = []
        self.events: list[tuple[int, int, bool, _Flight]] = []
        """(cycle, tie, whether a finish or a leave, instruction)"""
        self.ties = 0
        self._decode(program)

    def _decode(self, program: Program) -> None:
        units = {flight.issue.unit for flight in self.flights}
        servers = {name: [_Server() for _ in range(port.count)] for name, port in program.ports.items()}
        taken = dict.fromkeys(servers, 0)
        copies = {name: [_Copy() for _ in range(place.slots)] for name, place in program.locations.items()}
        latest = dict.fromkeys(copies, 0)
        named: dict[int, tuple[int, int]] = {}  # copy → version handed out last, readers of it
        for flight in self.flights:
            issue = flight.issue
            if len(set(flight.path)) < len(flight.path) or units.intersection(flight.path[:-1]):
                raise CheckError(f"{issue.label}: a path has a station once and one unit, at its end: {flight.path}")
            for name in flight.path:
                self.places[name].coming.append(flight)
            self.places[issue.unit].cells = [None] * self.places[issue.unit].station.slots
            for access in issue.accesses:
                group = servers[access.port]
                turn, server = divmod(taken[access.port], len(group))
                flight.turns.append((group[server], turn, access.hold))
                taken[access.port] += 1
            looked = [copies[name][latest[name]] for name in dict.fromkeys((*issue.reads, *issue.updates))]
            flight.reads = looked
            flight.versions = [(copy, named.get(id(copy), (0, 0))[0]) for copy in looked]
            for name in issue.writes:
                latest[name] = (latest[name] + 1) % len(copies[name])
            for name in (*issue.writes, *issue.updates):
                copy = copies[name][latest[name]]
                version, readers = named.get(id(copy), (0, 0))
                flight.overwrites.append((copy, version, readers))
                flight.writes.append(copy)
                named[id(copy)] = (version + 1, 0)
            for copy, version in flight.versions:
                if named.get(id(copy), (0, 0))[0] == version:  # else it is overwritten by this one, who need not wait
                    named[id(copy)] = (version, named.get(id(copy), (0, 0))[1] + 1)

    def settle(self, now: int) -> None:
        """Everything that happens in a cycle, until nothing moves: what is left at it is free in the same cycle."""
        moved = True
        while moved:
            moved = False
            while self.events and self.events[0][0] <= now:
                _, _, finishes, flight = heapq.heappop(self.events)
                self._finish(flight) if finishes else self._vacate(flight, now)
                moved = True
            for place in self.places.values():
                moved = self._step(place, now) or moved

    def _step(self, place: _Place, now: int) -> bool:
        """Let whoever can go on from or into a place do so; whether someone could."""
        moved = False
        while place.coming and place.coming[0].path[0] == place.station.name and self._enter(place.coming[0], now):
            moved = True
        for waiting in place.cells:
            if waiting is not None and waiting.start < 0 and self._may_start(waiting, now):
                self._start(waiting, now)
                moved = True
        while place.inside and place.inside[0].ready_at <= now and self._enter(place.inside[0], now):
            place.inside.popleft()
            moved = True
        return moved

    def _enter(self, flight: _Flight, now: int) -> bool:
        """Move into the next place of the path if it lets the instruction in."""
        name = flight.path[flight.at + 1]
        place = self.places[name]
        if not place.admits(flight, now):
            return False
        place.coming.popleft()
        if flight.at >= 0:
            flight.leave.append(now)
        flight.at += 1
        flight.enter.append(now)
        if place.cells:
            place.cells[place.entered % place.station.slots] = flight
        else:
            place.inside.append(flight)
            flight.ready_at = now + flight.issue.steps[flight.at].latency
            heapq.heappush(self.moments, flight.ready_at)
        place.entered += 1
        place.opens_at = now + place.station.interval
        heapq.heappush(self.moments, place.opens_at)
        return True

    @staticmethod
    def _may_start(flight: _Flight, now: int) -> bool:
        return (
            all(copy.version == version for copy, version in flight.versions)
            and all(copy.version == v and copy.readers_done == readers for copy, v, readers in flight.overwrites)
            and all(server.begun == turn and server.free_at <= now for server, turn, _ in flight.turns)
        )

    def _start(self, flight: _Flight, now: int) -> None:
        flight.start = now
        for server, _, hold in flight.turns:
            server.begun += 1
            server.free_at = now + hold
            heapq.heappush(self.moments, server.free_at)
        for cycles, finishes in ((flight.issue.latency, True), (flight.issue.hold, False)):
            self.ties += 1
            heapq.heappush(self.events, (now + cycles, self.ties, finishes, flight))

    def _finish(self, flight: _Flight) -> None:
        self.left -= 1
        for copy in flight.reads:
            copy.readers_done += 1
        for copy in flight.writes:
            copy.version += 1
            copy.readers_done = 0

    def _vacate(self, flight: _Flight, now: int) -> None:
        self.left -= 1
        flight.leave.append(now)
        cells = self.places[flight.issue.unit].cells
        cells[next(i for i, one in enumerate(cells) if one is flight)] = None

    def next_moment(self, now: int) -> int | None:
        """The next cycle in which something can change; ``None``: nothing ever will."""
        while self.moments and self.moments[0] <= now:
            heapq.heappop(self.moments)
        times = [self.moments[0]] if self.moments else []
        return min(times + ([self.events[0][0]] if self.events else []), default=None)

    def seen(self) -> Simulation:
        held = dict.fromkeys(self.places, 0)
        busy: dict[str, int] = {}
        passages = []
        for flight in self.flights:
            issue = flight.issue
            for name, enter, leave in zip(flight.path, flight.enter, flight.leave, strict=True):
                held[name] += leave - enter
            for name, cycles in ((issue.unit, issue.hold), *((access.port, access.hold) for access in issue.accesses)):
                busy[name] = busy.get(name, 0) + cycles
            finish = flight.start + issue.latency
            passages.append(Passage(issue, tuple(flight.enter), tuple(flight.leave), flight.start, finish))
        return Simulation(tuple(passages), max((one.finish for one in passages), default=0), held, busy)


def _stream(body: tuple[Issue | Repeat, ...]) -> Iterator[Issue]:
    """Instructions in program order."""
    for item in body:
        if isinstance(item, Issue):
            yield item
        else:
            for _ in range(item.trips):
                yield from _stream(item.body)
