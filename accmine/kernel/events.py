"""The rules of ``program.py`` as max-plus steps over state cells: the one place where they become arithmetic.

An instruction is a *course*: moments, each the latest of terms, and what they then change in the state. The state is
rings of values, the youngest first. What a value is, the caller says by an algebra: cycles (``recurrence.py``), rows of
a matrix (``latency.py``), or where it comes from (``event_graph``).

Rings
-----
``("leave", station)``, ``("enter", station)``, ``("free", port)``, ``("written", location)`` (finish of its last
writer), ``("busy", location)`` (per slot the greatest finish of its last writer and its readers), ``("origin", "")``
(cycle 0) and ``("end", "")`` (the greatest finish). A ring is shifted rather than pointed into, so that every iteration
of a loop is the same map.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from accmine.errors import InputError
from accmine.kernel.graph import Dependence, Event, EventGraph
from accmine.kernel.program import Issue, Program, Repeat

__all__ = ["Course", "Machine", "Moment", "Ring", "Term", "advance", "event_graph", "flat", "machine", "uses"]

Ring = tuple[str, str]
Body = tuple[Issue | Repeat, ...]
V = TypeVar("V")

ORIGIN: Ring = ("origin", "")
END: Ring = ("end", "")
MOST_FLAT = 1_000_000
"""Instructions of a body that is written out."""
MOST_CELLS = 10_000_000
"""Values in all rings."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value and cycles that are added to it.

    Attributes
    ----------
    ring
        Where the value is; ``None``: it is an earlier moment of the instruction.
    place
        Place in the ring from the youngest on, or index of the moment.
    rule
        As in ``Dependence``; empty: the value knows.
    """

    ring: Ring | None
    place: int
    weight: int
    rule: str
    on: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of an instruction: the latest of its terms."""

    what: str
    at: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a moment + ``offset`` does to a ring.

    Attributes
    ----------
    how
        ``push``: it becomes the youngest and the oldest is forgotten; ``set``: it replaces the youngest; ``raise``: the
        later of both does.
    rule
        What waits for it later, where terms do not say.
    """

    ring: Ring
    moment: int
    offset: int
    how: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """Moments of an instruction in their order, and the changes that follow."""

    moments: tuple[Moment, ...]
    changes: tuple[Change, ...]


class Algebra(Protocol[V]):
    """What values are."""

    def latest(self, moment: Moment, terms: Sequence[tuple[V, Term]]) -> V:
        """Greatest of value + weight."""

    def later(self, value: V, cycles: int, rule: str) -> V:
        """The value plus cycles."""

    def either(self, one: V, other: V) -> V:
        """The greater of two."""


@dataclass(frozen=True)
class Machine:
    """The resources of a program and how long their rings are.

    Attributes
    ----------
    lengths
        Of each ring. Shorter than the slots of its resource where these never run out.
    """

    program: Program
    lengths: Mapping[Ring, int]

    def state(self, never: V, origin: V) -> dict[Ring, deque[V]]:
        """Everything is free and written at cycle 0, which is never too late."""
        state = {ring: deque([never] * length, maxlen=length) for ring, length in self.lengths.items()}
        for ring in (ORIGIN, END):
            state[ring][0] = origin
        return state


def machine(program: Program, endless: bool = False) -> Machine:
    """Rings of the resources that a program uses.

    With ``endless`` the program is a body that is repeated without end; else rings are only as long as its
    instructions can fill: of ten thousand buffers that are written a hundred times none is waited for.

    Raises
    ------
    InputError
        They are too many to be kept.
    """
    stations, ports, writes, others = uses(program.body)
    lengths: dict[Ring, int] = {ORIGIN: 1, END: 1}

    def add(what: str, name: str, slots: int, used: int) -> None:
        lengths[(what, name)] = slots if endless or slots <= used else 1

    for name, used in stations.items():
        lengths[("enter", name)] = 1
        add("leave", name, program.stations[name].slots, used - 1)
    for name, used in ports.items():
        add("free", name, program.ports[name].count, used - 1)
    for name in writes.keys() | others:
        lengths[("written", name)] = 1
        add("busy", name, program.locations[name].slots, writes[name])
    if (cells := sum(lengths.values())) > MOST_CELLS:
        raise InputError(
            f"slots, ports and copies that run out are {cells:,} in all; allowed are {MOST_CELLS:,}", program.name
        )
    return Machine(program, lengths)


def uses(body: Body) -> tuple[Counter[str], Counter[str], Counter[str], set[str]]:
    """How often stations, ports and locations (writes) are taken; and locations that are read or updated."""
    stations: Counter[str] = Counter()
    ports: Counter[str] = Counter()
    writes: Counter[str] = Counter()
    others: set[str] = set()

    def count(items: Body, times: int) -> None:
        for item in items:
            if isinstance(item, Repeat):
                count(item.body, times * item.trips)
                continue
            for step in item.steps:
                stations[step.station] += times
            stations[item.unit] += times
            for access in item.accesses:
                ports[access.port] += times
            for name in item.writes:
                writes[name] += times
            others.update(item.reads, item.updates)

    count(body, 1)
    return stations, ports, writes, others


def course(issue: Issue, of: Machine) -> Course:
    """The timing of an instruction (see ``program.py``, which has the rules in words)."""
    path = (*(step.station for step in issue.steps), issue.unit)
    moments = [Moment("enter", path[0], (Term(ORIGIN, 0, 0, "latency", ""), *_entering(path[0], of)))]
    for step, following in zip(issue.steps, path[1:], strict=True):
        terms = (
            Term(None, len(moments) - 1, step.latency, "latency", step.station),
            Term(("leave", step.station), 0, 0, "order", step.station),
            *_entering(following, of),
        )
        moments.append(Moment("leave", step.station, terms))
    start = len(moments)
    moments.append(
        Moment("start", issue.unit, (Term(None, start - 1, 0, "latency", issue.unit), *_starting(issue, of)))
    )
    moments.append(Moment("finish", issue.unit, (Term(None, start, issue.latency, "latency", issue.unit),)))
    held = "latency" if issue.hold == issue.latency else "hold"
    moments.append(Moment("leave", issue.unit, (Term(None, start, issue.hold, held, issue.unit),)))
    return Course(tuple(moments), tuple(_changes(issue, path, start)))


def _entering(station: str, of: Machine) -> list[Term]:
    here = of.program.stations[station]
    terms = [Term(("enter", station), 0, here.interval, "interval", station)]
    if of.lengths[("leave", station)] == here.slots:
        terms.append(Term(("leave", station), here.slots - 1, 0, "slot", station))
    return terms


def _starting(issue: Issue, of: Machine) -> list[Term]:
    terms = [Term(("written", name), 0, 0, "RAW", name) for name in dict.fromkeys(issue.reads + issue.updates)]
    terms += [Term(("busy", name), 0, 0, "", name) for name in issue.updates]
    for name in issue.writes:
        slots = of.program.locations[name].slots
        if of.lengths[("busy", name)] == slots:
            terms.append(Term(("busy", name), slots - 1, 0, "", name))
    for access in issue.accesses:
        count = of.program.ports[access.port].count
        if of.lengths[("free", access.port)] == count:
            terms.append(Term(("free", access.port), count - 1, 0, "port", access.port))
    return terms


def _changes(issue: Issue, path: tuple[str, ...], start: int) -> list[Change]:
    finish = start + 1
    # moment j is the entering of station j and the leaving of the one before
    changes = [Change(("enter", station), place, 0, "push") for place, station in enumerate(path)]
    changes += [Change(("leave", step.station), place + 1, 0, "push") for place, step in enumerate(issue.steps)]
    changes.append(Change(("leave", issue.unit), start + 2, 0, "push"))
    changes += [Change(("free", access.port), start, access.hold, "push") for access in issue.accesses]
    changes += [Change(("busy", name), finish, 0, "raise", "WAR") for name in dict.fromkeys(issue.reads)]
    for names, how in ((issue.updates, "set"), (issue.writes, "push")):
        for name in names:
            changes += [Change(("busy", name), finish, 0, how, "WAW"), Change(("written", name), finish, 0, "push")]
    changes.append(Change(END, finish, 0, "raise"))
    return changes


def advance(state: Mapping[Ring, deque[V]], of: Course, algebra: Algebra[V]) -> list[V]:
    """Let one instruction happen: its moments; the state is changed."""
    times: list[V] = []
    for moment in of.moments:
        terms = [(times[t.place] if t.ring is None else state[t.ring][t.place], t) for t in moment.terms]
        times.append(algebra.latest(moment, terms))
    for change in of.changes:
        value = algebra.later(times[change.moment], change.offset, change.rule)
        ring = state[change.ring]
        if change.how == "push":
            ring.appendleft(value)
        else:
            ring[0] = value if change.how == "set" else algebra.either(ring[0], value)
    return times


def flat(body: Body, most: int = MOST_FLAT) -> list[Issue]:
    """The instructions of a body one after another, its loops written out.

    Raises
    ------
    InputError
        There are more than ``most``.
    """
    count = Program(body, {}).instructions
    if count > most:
        raise InputError(f"a body of {count:,} instructions is too long to be written out; at most {most:,} are")

    def walk(items: Body) -> list[Issue]:
        out: list[Issue] = []
        for item in items:
            if isinstance(item, Repeat):
                out += walk(item.body) * item.trips
            else:
                out.append(item)
        return out

    return walk(body)


Source = tuple[int, int, int, str]
"""Event, iteration, cycles after it, rule."""


class _Origins:
    """Values are the events that they are the latest of."""

    def __init__(self, further: Mapping[Ring, int]) -> None:
        self.further = further
        self.iteration = 0
        self.event = 0
        self.found: dict[Dependence, None] = {}

    def latest(self, moment: Moment, terms: Sequence[tuple[frozenset[Source], Term]]) -> frozenset[Source]:
        for sources, term in terms:
            further = self.further.get(term.ring, 0) if term.ring and term.place else 0
            for source, iteration, cycles, rule in sorted(sources):
                distance = self.iteration - iteration + further
                why = term.rule or rule
                self.found[Dependence(source, self.event, cycles + term.weight, distance, why, term.on)] = None
        self.event += 1
        return frozenset({(self.event - 1, self.iteration, 0, "")})

    def later(self, value: frozenset[Source], cycles: int, rule: str) -> frozenset[Source]:
        return frozenset((event, iteration, weight + cycles, rule) for event, iteration, weight, _ in value)

    def either(self, one: frozenset[Source], other: frozenset[Source]) -> frozenset[Source]:
        return one | other


def event_graph(program: Program, body: Body | None = None) -> EventGraph:
    """What waits for what in a loop body that is repeated without end.

    Parameters
    ----------
    body
        The loop body, loops in it written out. Default: the body of the program's loop if it is one loop, else the
        whole program.

    Returns
    -------
    EventGraph
        From the second moment of a station on, entering it is the leaving of the one before.

    Raises
    ------
    InputError
        The body is too long to be written out.
    """
    if body is None:
        only = program.body[0] if len(program.body) == 1 else None
        body = only.body if isinstance(only, Repeat) else program.body
    text = flat(body)
    short, further = _shortened(program, tuple(text))
    endless = machine(short, endless=True)
    kinds: dict[Issue, Course] = {issue: course(issue, endless) for issue in dict.fromkeys(text)}
    written = {name for issue in text for name in issue.writes + issue.updates}
    courses = [_awaited(kinds[issue], written) for issue in text]
    origins = _Origins(further)
    state = endless.state(frozenset[Source](), frozenset[Source]())
    before: Any = None
    while True:
        origins.event, origins.found = 0, {}
        for one in courses:
            advance(state, one, origins)
        now = {
            ring: [frozenset((e, i - origins.iteration, w, r) for e, i, w, r in value) for value in values]
            for ring, values in state.items()
        }
        if now == before:
            break
        before = now
        origins.iteration += 1
    events = tuple(
        Event(place, issue.label, moment.what, moment.at)
        for place, (issue, one) in enumerate(zip(text, courses, strict=True))
        for moment in one.moments
    )
    return EventGraph(events, tuple(origins.found))


def _shortened(program: Program, text: Body) -> tuple[Program, dict[Ring, int]]:
    """The text on at most twice as many slots as it takes in an iteration, and the iterations that this is too near.

    What was put m · t places before is the same event t iterations before, where m are put in an iteration.
    """
    stations, ports, writes, _ = uses(text)
    further: dict[Ring, int] = {}

    def fewer(what: str, name: str, slots: int, used: int) -> int:
        further[(what, name)] = skipped = max(0, (slots - used - 1) // used)
        return slots - skipped * used

    s = {name: program.stations[name] for name in stations}
    p = {name: program.ports[name] for name in ports}
    x = {name: program.locations[name] for name in writes}
    short = Program(
        text,
        {name: replace(one, slots=fewer("leave", name, one.slots, stations[name])) for name, one in s.items()},
        {name: replace(one, count=fewer("free", name, one.count, ports[name])) for name, one in p.items()},
        {
            **program.locations,
            **{name: replace(one, slots=fewer("busy", name, one.slots, writes[name])) for name, one in x.items()},
        },
    )
    return short, further


def _awaited(of: Course, written: set[str]) -> Course:
    """Without the changes that nothing waits for: they would gather sources for ever."""
    kept = (c for c in of.changes if c.ring != END and (c.ring[0] != "busy" or c.ring[1] in written))
    return Course(of.moments, tuple(kept))
