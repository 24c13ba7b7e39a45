"""What a kernel takes and why: cycles, the rate of each innermost loop with its critical cycle, and what is busy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from accmine.kernel.cycle_ratio import howard
from accmine.kernel.events import event_graph
from accmine.kernel.graph import Dependence, EventGraph
from accmine.kernel.latency import bounds, latency
from accmine.kernel.program import Issue, Program, Repeat

__all__ = ["Analysis", "Cause", "InnerLoop", "Use", "analyse", "inner_loops", "rate", "sentence", "uses"]


@dataclass(frozen=True)
class Cause:
    """A step of a critical cycle.

    Attributes
    ----------
    rule, on
        As of a ``Dependence``.
    label
        The instruction that what follows waits for; ``to`` is the one that waits.
    cycles, iterations
        Weight and distance.
    words
        The step as a sentence.
    """

    rule: str
    on: str
    label: str
    to: str
    cycles: int
    iterations: int
    words: str


@dataclass(frozen=True)
class InnerLoop:
    """A loop whose body is instructions alone, as if it ran forever.

    Attributes
    ----------
    name
        Names of the loops around it and its own, ``i/j``; numbers of loops without a name.
    iterations
        Of all its visits together.
    rate
        Cycles per iteration in the long run; exact.
    cycle
        The critical cycle: the instructions that wait for each other, in order; its weights are ``rate`` times its
        iterations. Empty: nothing waits for an earlier iteration but in no time.
    bottleneck
        The station, port group or location to which most of the cycle's weight belongs.
    """

    name: str
    iterations: int
    rate: Fraction
    cycle: tuple[Cause, ...]
    bottleneck: str

    @property
    def cycles(self) -> Fraction:
        """All iterations at the rate."""
        return self.rate * self.iterations


@dataclass(frozen=True)
class Use:
    """How busy a station, unit or port group is.

    Attributes
    ----------
    kind
        ``stage``, ``unit`` or ``port``.
    count
        Slots or ports.
    least
        Cycles that it needs by itself: what is held over all instructions by ``count``, or its intervals.
    share
        ``least`` of the cycles of the kernel.
    """

    kind: str
    name: str
    count: int
    least: int
    share: Fraction


@dataclass(frozen=True)
class Analysis:
    """What a kernel takes and why.

    Attributes
    ----------
    instructions
        How many are issued.
    cycles
        Until the last one finishes; exact.
    busy, serial
        Lower bound by the busiest resource, upper bound by one instruction after the other.
    loops
        Innermost ones, in program order.
    uses
        Stations, units and port groups that are used, the busiest first.
    """

    instructions: int
    cycles: int
    busy: int
    serial: int
    loops: tuple[InnerLoop, ...]
    uses: tuple[Use, ...]

    @property
    def dominating(self) -> InnerLoop | None:
        """The innermost loop with the most cycles at its rate; ``None`` without a loop."""
        return max(self.loops, key=lambda loop: loop.cycles, default=None)

    @property
    def bottleneck(self) -> str:
        """Of the dominating loop where that is more than half of all, else the busiest resource."""
        loop = self.dominating
        if loop is not None and loop.bottleneck and 2 * loop.cycles > self.cycles:
            return loop.bottleneck
        return self.uses[0].name if self.uses else ""


def analyse(program: Program) -> Analysis:
    """Cycles, rates, critical cycles and utilisation of a program.

    Raises
    ------
    InputError
        If a number does not fit into 64 bits.
    """
    cycles = latency(program)
    busy, serial = bounds(program)
    found = []
    for name, iterations, loop in inner_loops(program.body):
        ratio, causes = rate(program, loop)
        found.append(InnerLoop(name, iterations, ratio, causes, _heaviest(causes)))
    return Analysis(program.instructions, cycles, busy, serial, tuple(found), uses(program, cycles))


def inner_loops(body: Sequence[Issue | Repeat], trips: int = 1, path: str = "") -> Iterator[tuple[str, int, Repeat]]:
    """(name, iterations of all visits, loop) of every loop that holds no other, in program order."""
    for place, item in enumerate(body):
        if not isinstance(item, Repeat):
            continue
        name = f"{path}{item.name or place}"
        if any(isinstance(inner, Repeat) for inner in item.body):
            yield from inner_loops(item.body, trips * item.trips, f"{name}/")
        else:
            yield name, trips * item.trips, item


def rate(program: Program, loop: Repeat) -> tuple[Fraction, tuple[Cause, ...]]:
    """Cycles per iteration of an innermost loop that runs forever on a program's resources, and its critical cycle."""
    graph = event_graph(program, loop.body)
    found = howard(graph)
    first = min(range(len(found.cycle)), key=lambda place: found.cycle[place].source, default=0)  # in program order
    cycle = (*found.cycle[first:], *found.cycle[:first])
    return found.ratio, tuple(_cause(graph, step) for step in cycle if _says_something(step))


def _says_something(step: Dependence) -> bool:
    return bool(step.weight or step.distance or step.rule not in ("latency", "hold"))


def _cause(graph: EventGraph, step: Dependence) -> Cause:
    first, second = graph.events[step.source].label, graph.events[step.target].label
    return Cause(step.rule, step.on, first, second, step.weight, step.distance, sentence(step, first, second))


def sentence(step: Dependence, first: str, second: str) -> str:
    """A dependence in words: ``second`` waits for ``first``."""
    back = "" if not step.distance else f" {step.distance} iteration{'s' * (step.distance > 1)} earlier"
    on, n = step.on, step.weight
    return {
        "latency": f"{first} takes {n} in {on}",
        "hold": f"{first} holds {on} for {n}",
        "slot": f"{second} enters {on} once {first}{back} has left it",
        "interval": f"{second} enters {on} {n} after {first}{back}",
        "order": f"{second} leaves {on} after {first}{back}",
        "port": f"{second} takes the port of {on} that {first}{back} held for {n}",
        "RAW": f"{second} reads {on}, which {first}{back} wrote",
        "WAR": f"{second} writes {on}, which {first}{back} read",
        "WAW": f"{second} writes {on}, which {first}{back} wrote",
    }[step.rule]


def _heaviest(causes: Sequence[Cause]) -> str:
    """Where most cycles of a critical cycle are spent; the first of equal ones."""
    spent: dict[str, int] = {}
    for cause in causes:
        spent[cause.on] = spent.get(cause.on, 0) + cause.cycles
    return max(spent, key=lambda name: spent[name], default="")


def uses(program: Program, cycles: int) -> tuple[Use, ...]:
    """How busy every station, unit and port group is that an instruction uses; the busiest first.

    A station before a unit is held for its latency at least, however long an instruction waits there: busy is what is
    waited for, not who waits. A unit or port that is held beyond the finish is counted to the finish:
    all of it lies within the cycles of the program.
    """
    held: dict[tuple[str, str], int] = {}
    times: dict[tuple[str, str], int] = {}

    def add(kind: str, name: str, hold: int, count: int) -> None:
        held[kind, name] = held.get((kind, name), 0) + hold * count
        times[kind, name] = times.get((kind, name), 0) + count

    for issue, count in _counted(program.body, 1):
        for step in issue.steps:
            add("stage", step.station, step.latency, count)
        add("unit", issue.unit, min(issue.hold, issue.latency), count)
        for access in issue.accesses:
            add("port", access.port, min(access.hold, issue.latency), count)
    found = []
    for (kind, name), total in held.items():
        places = program.ports[name].count if kind == "port" else program.stations[name].slots
        spaced = 0 if kind == "port" else program.stations[name].interval * (times[kind, name] - 1)
        least = max(-(-total // places), spaced)
        found.append(Use(kind, name, places, least, Fraction(least, cycles or 1)))
    return tuple(sorted(found, key=lambda use: -use.share))


def _counted(body: Sequence[Issue | Repeat], trips: int) -> Iterator[tuple[Issue, int]]:
    for item in body:
        if isinstance(item, Repeat):
            yield from _counted(item.body, trips * item.trips)
        else:
            yield item, trips
