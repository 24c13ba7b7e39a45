"""What the instructions of a loop body wait for, as a graph, and the greatest cycle ratio of it.

Written from the rules of ``accmine.kernel.program`` alone; only the words are those of the analysis. A loop body that
is repeated for ever enters stations and starts in its units no faster than the greatest ratio of weight (cycles) to
distance (iterations) of a cycle of what waits for what, and as fast as that: with potentials u,

    u[target] ≥ u[source] + weight − rate · distance for every dependence

has a solution exactly where rate is at least that ratio. Distances and weights are integers, so all of it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from accmine.kernel.analysis import sentence
from accmine.kernel.graph import Dependence, Event, EventGraph
from accmine.kernel.program import Issue, Program, Repeat

__all__ = ["Slack", "slack", "slowest_cycle", "waits_of", "words"]

T = TypeVar("T")
Moment = tuple[int, int]
"""(event, cycles after it)."""


@dataclass(frozen=True)
class Slack:
    """Whether a rate is kept.

    Attributes
    ----------
    potentials
        Of each event, at least 0, in 1/denominator of the rate cycles; empty where the rate is not kept.
    cycle
        A cycle that is slower than the rate; empty where it is kept.
    """

    potentials: tuple[int, ...] = ()
    cycle: tuple[Dependence, ...] = ()


def waits_of(program: Program) -> EventGraph:
    """Events ``enter`` and ``start`` of every instruction of a flat body, and every wait between them.

    ``leave`` and ``finish`` are so many cycles after one of them. Raises ``TypeError`` for a loop in the body.
    """
    body = _Body(program)
    found: list[Dependence] = []
    for i, issue in enumerate(body.issues):
        last = body.start[i]
        for position, step in enumerate(issue.steps):
            at = body.enter[i] + position
            found.append(Dependence(at, at + 1, step.latency, 0, "latency", step.station))
        found.append(Dependence(last - 1, last, 0, 0, "latency", issue.unit))
    for name in program.stations:
        found += body.station(name)
    for name, port in program.ports.items():
        users = [(i, a.hold) for i, issue in enumerate(body.issues) for a in issue.accesses if a.port == name]
        for k, (i, _) in enumerate(users):
            source, distance = body.before(users, k, port.count)
            found.append(Dependence(body.start[source[0]], body.start[i], source[1], distance, "port", name))
    for name in program.locations:
        found += body.location(name)
    return EventGraph(tuple(body.events), tuple(found))


class _Body:
    """Where the events of each instruction stand."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.issues: list[Issue] = []
        self.events: list[Event] = []
        self.enter: list[int] = []
        self.start: list[int] = []
        for i, item in enumerate(program.body):
            if isinstance(item, Repeat):
                raise TypeError("a flat body is needed")
            self.issues.append(item)
            self.enter.append(len(self.events))
            stations = [*(step.station for step in item.steps), item.unit]
            self.events += [Event(i, item.label, "enter", station) for station in stations]
            self.start.append(len(self.events))
            self.events.append(Event(i, item.label, "start", item.unit))

    def before(self, users: Sequence[T], k: int, count: int) -> tuple[T, int]:
        """The count-th user before the k-th of an iteration, and how many iterations earlier it is."""
        earlier, place = divmod(k - count, len(users))
        return users[place], -earlier

    def station(self, name: str) -> Iterator[Dependence]:
        """Slots, interval and order of a station."""
        station = self.program.stations[name]
        users: list[tuple[int, Moment, bool]] = []  # enter, leave, whether it goes on
        for i, issue in enumerate(self.issues):
            for position, step in enumerate(issue.steps):
                if step.station == name:
                    at = self.enter[i] + position
                    users.append((at, (at + 1, 0), True))
            if issue.unit == name:
                users.append((self.start[i] - 1, (self.start[i], issue.hold), False))
        for k, (enter, leave, goes_on) in enumerate(users):
            (_, (source, weight), _), distance = self.before(users, k, station.slots)
            yield Dependence(source, enter, weight, distance, "slot", name)
            (entered, (source, weight), _), distance = self.before(users, k, 1)
            yield Dependence(entered, enter, station.interval, distance, "interval", name)
            if goes_on:
                yield Dependence(source, leave[0], weight, distance, "order", name)

    def location(self, name: str) -> Iterator[Dependence]:
        """What readers and writers of a location wait for."""
        reads = [i for i, issue in enumerate(self.issues) if name in issue.reads or name in issue.updates]
        changes = [i for i, issue in enumerate(self.issues) if name in issue.writes or name in issue.updates]
        writes = [i for i, issue in enumerate(self.issues) if name in issue.writes]
        wait = self._waiter(name)
        for i in reads if changes else ():
            yield wait(self._last(changes, i), (i, 0), "RAW")
        for i in changes:
            if i not in writes:  # an update stays in the slot: it waits for those who read it since its last writer
                last = self._last(changes, i)
                for reader in self._between(reads, last, (i, 0)):
                    if reader != (i, 0):
                        yield wait(reader, (i, 0), "WAR")
        slots = self.program.locations[name].slots
        for k, i in enumerate(writes):
            first, distance = self.before(writes, k, slots)
            after, later = self.before(writes, k, slots - 1) if slots > 1 else (i, 0)
            opened, closed = (first, -distance), (after, -later)
            writers = [opened, *(one for one in self._between(changes, opened, closed) if one != closed)]
            yield wait(writers[-1], (i, 0), "WAW")
            for reader in self._between(reads, opened, closed):
                if reader not in ((i, 0), writers[-1]):
                    yield wait(reader, (i, 0), "WAR")

    def _waiter(self, name: str) -> Callable[[tuple[int, int], tuple[int, int], str], Dependence]:
        def wait(source: tuple[int, int], target: tuple[int, int], rule: str) -> Dependence:
            weight = self.issues[source[0]].latency
            return Dependence(self.start[source[0]], self.start[target[0]], weight, target[1] - source[1], rule, name)

        return wait

    def _last(self, those: Sequence[int], i: int) -> tuple[int, int]:
        """The last of ``those`` before i, with its iteration as seen from that of i."""
        earlier = [one for one in those if one < i]
        return (earlier[-1], 0) if earlier else (those[-1], -1)

    def _between(
        self, those: Sequence[int], first: tuple[int, int], last: tuple[int, int]
    ) -> Iterator[tuple[int, int]]:
        """Those after ``first`` and up to ``last``, each with its iteration; at most one iteration lies between."""
        for iteration in range(first[1], last[1] + 1):
            for one in those:
                if (first[1], first[0]) < (iteration, one) <= (last[1], last[0]):
                    yield one, iteration


def slack(graph: EventGraph, rate: Fraction) -> Slack:
    """Potentials that prove a rate in cycles per iteration, or a cycle that is slower."""
    edges = [
        (own.target, own.source, rate.denominator * own.weight - rate.numerator * own.distance, own)
        for own in sorted(graph.dependences, key=lambda own: own.target)
    ]
    potentials = [0] * len(graph.events)
    above: list[Dependence | None] = [None] * len(graph.events)
    moved = True
    while moved:
        moved = False
        for target, source, weight, own in edges:
            if potentials[source] + weight > potentials[target]:
                potentials[target] = potentials[source] + weight
                above[target] = own
                moved = True
        if moved and (cycle := _cycle(above)):
            return Slack(cycle=cycle)
    return Slack(potentials=tuple(potentials))


def _cycle(above: Sequence[Dependence | None]) -> tuple[Dependence, ...]:
    """A cycle of the dependences by which potentials rose last; such a one rises for ever."""
    seen = [0] * len(above)
    for walk, begin in enumerate(range(len(above)), 1):
        at = begin
        while not seen[at] and (own := above[at]) is not None:
            seen[at] = walk
            at = own.source
        if seen[at] == walk and above[at] is not None:
            found, end = [], at
            while True:
                own = above[at]
                assert own is not None
                found.append(own)
                at = own.source
                if at == end:
                    return tuple(reversed(found))
    return ()


def slowest_cycle(graph: EventGraph) -> tuple[Fraction, tuple[Dependence, ...]]:
    """The greatest ratio of weight to distance of a cycle in cycles per iteration, and such a cycle.

    From one cycle that is slower than the last to the next, until there is none. Cycles of weight 0 have the rate 0
    and are not named.
    """
    rate = Fraction(0)
    cycle: tuple[Dependence, ...] = ()
    while slower := slack(graph, rate).cycle:
        cycle = slower
        rate = Fraction(sum(own.weight for own in cycle), sum(own.distance for own in cycle))
    return rate, cycle


def words(graph: EventGraph, cycle: Sequence[Dependence]) -> str:
    """A cycle for people: every wait that is not the way of an instruction through its stations."""
    said = []
    for own in cycle:
        if own.rule != "latency" or own.weight:
            text = sentence(own, graph.events[own.source].label, graph.events[own.target].label)
            known = own.rule in ("latency", "interval", "port") or not own.weight  # the text has the cycles
            said.append(text if known else f"{text}, {own.weight} cycles after its start")
    return "; ".join(said)
