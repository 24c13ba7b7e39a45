"""The cheapest slots of stations, ports and copies of locations with which a loop body keeps a rate.

A body of instructions (``accmine.kernel.program``) is repeated for ever. Its rate in cycles per iteration is the
greatest cycle ratio of what waits for what; of some resources the count is free, each count with its cost. Wanted is
the least sum of costs at which the rate is no slower than the target. Fewer cycles per iteration are faster.

More is not always faster: ports and copies are taken in turn, so that with long and short accesses in turn two ports
may do better than three. One more slot of a station never makes anything later: with c slots
enter(n) ≥ enter(n − 1) ≥ leave(n − 1 − c), which is all that c + 1 slots ask for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

from accmine.errors import CheckError, Complaint, InputError
from accmine.kernel.graph import Dependence
from accmine.kernel.program import Issue, Location, Port, Program, Repeat, Station
from accmine.problems.kernel_sizing.seen import contradiction
from accmine.problems.kernel_sizing.waits import slowest_cycle, waits_of, words

__all__ = [
    "KIND",
    "LARGEST",
    "WHAT",
    "Choice",
    "More",
    "Problem",
    "Solution",
    "check",
    "field_of",
    "rate_of",
    "score",
    "sized",
    "what_more_buys",
]

KIND = "kernel-sizing"

LARGEST = 1 << 56
"""Sum of all costs, and of all cycles times the denominator of the target, at most: solvers add within 64 bits."""

MOST_COUNT = 1 << 20
WHAT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "station": ("slots", ("slot",)),
    "port": ("count", ("port",)),
    "location": ("slots", ("WAR", "WAW")),
}
"""Kind of resource -> its count in a program, and the rules of the waits that the count changes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A resource whose count is free.

    Attributes
    ----------
    what
        ``station``, ``port`` or ``location``.
    name
        Of the resource in the program.
    costs
        (count, cost) that may be chosen, by ascending count.
    """

    what: str
    name: str
    costs: tuple[tuple[int, int], ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Counts that may be chosen, ascending."""
        return tuple(count for count, _ in self.costs)


@dataclass(frozen=True)
class Problem:
    """A loop body, the counts that are free, and the rate it has to keep.

    Attributes
    ----------
    program
        A body without loops. Counts of resources with a choice become the least of the choice.
    target
        Cycles per iteration, at most.

    Raises
    ------
    InputError
        If a value is not allowed; every complaint at once.
    """

    program: Program
    choices: tuple[Choice, ...]
    """In the order of the program: stations, ports, locations."""
    target: Fraction

    kind: ClassVar[str] = KIND

    def __post_init__(self) -> None:
        wrong = [Complaint("", field, message) for field, message in _complaints(self)]
        if wrong:
            raise InputError(wrong)
        place = {
            (what, name): (i, k)
            for i, (what, table) in enumerate(_tables(self.program))
            for k, name in enumerate(table)
        }
        object.__setattr__(self, "choices", tuple(sorted(self.choices, key=lambda own: place[own.what, own.name])))
        object.__setattr__(self, "program", sized(self, Solution(tuple(own.counts[0] for own in self.choices))))


@dataclass(frozen=True, slots=True)
class Solution:
    """The count of each choice, in the order of the choices."""

    counts: tuple[int, ...]


def _tables(program: Program) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return ("station", program.stations), ("port", program.ports), ("location", program.locations)


def _complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    program = problem.program
    if problem.target <= 0:
        yield "target", f"{problem.target} is not allowed; more than 0 cycles per iteration are needed"
    if not program.body:
        yield "body", "at least one instruction is needed"
    known = dict(_tables(program))
    twice = [name for name, count in Counter(own.name for own in problem.choices).items() if count > 1]
    if twice:
        yield "", f"names of what may be chosen must differ; twice: {', '.join(twice[:5])}"
    for own in problem.choices:
        place = field_of(problem, own)
        if own.name not in known.get(own.what, {}):
            yield place, f"there is no {own.what} {own.name!r}"
        if not own.costs:
            yield place, "at least one count is needed"
        if any(a >= b for a, b in zip(own.counts, own.counts[1:], strict=False)):
            yield place, "counts must ascend"
        for count, cost in own.costs:
            if not 1 <= count <= MOST_COUNT or not 0 <= cost <= LARGEST:
                yield place, f"count {count} at cost {cost}; counts of 1 to {MOST_COUNT} and costs of at least 0 exist"
    if sum(max((cost for _, cost in own.costs), default=0) for own in problem.choices) > LARGEST:
        yield "", f"costs add up to more than {LARGEST}; take a larger unit"
    yield from _wrong_body(problem)


def _wrong_body(problem: Problem) -> Iterator[tuple[str, str]]:
    program, cycles = problem.program, 0
    for what, table in _tables(program):
        for i, own in enumerate(table.values()):
            count = own.count if isinstance(own, Port) else own.slots
            if not 1 <= count <= MOST_COUNT:
                yield f"{what}s[{i}].{WHAT[what][0]}", f"{count} is not allowed; 1 to {MOST_COUNT} are needed"
            if isinstance(own, Station) and own.interval < 0:
                yield f"{what}s[{i}].interval", f"{own.interval} is not allowed; at least 0 is needed"
            cycles += own.interval if isinstance(own, Station) else 0
    units = {item.unit for item in program.body if isinstance(item, Issue)}
    for i, item in enumerate(program.body):
        at = f"body[{i}]"
        if isinstance(item, Repeat):
            yield at, "is a loop; a body without loops is needed"
            continue
        yield from ((f"{at}.{field}", message) for field, message in _wrong_issue(program, item))
        if inside := [step.station for step in item.steps if step.station in units]:
            yield f"{at}.steps", f"instructions end in {inside[0]!r}; it can be no step"
        times = [step.latency for step in item.steps] + [own.hold for own in item.accesses]
        for value in (*times, item.latency, item.hold):
            if value < 0:
                yield at, f"{value} cycles are not allowed; at least 0 are needed"
            cycles += abs(value)
    if 4 * max(1, len(program.body)) * cycles * problem.target.denominator > LARGEST:
        yield "target", "cycles times the denominator of the target leave 64 bits; take a simpler target"


def _wrong_issue(program: Program, issue: Issue) -> Iterator[tuple[str, str]]:
    path = [*(step.station for step in issue.steps), issue.unit]
    ports = [own.port for own in issue.accesses]
    for name in path:
        if name not in program.stations:
            yield "unit" if name == issue.unit else "steps", f"there is no station {name!r}"
    for field, names in (("steps", path), ("accesses", ports), ("writes", [*issue.writes, *issue.updates])):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            yield field, f"{twice[0]!r} is there twice"
    for name in ports:
        if name not in program.ports:
            yield "accesses", f"there is no port {name!r}"
    for field, named in (("reads", issue.reads), ("writes", issue.writes), ("updates", issue.updates)):
        for name in named:
            if name not in program.locations:
                yield field, f"there is no location {name!r}"


def field_of(problem: Problem, choice: Choice) -> str:
    """Where a problem file writes the counts of a choice."""
    names = list(dict(_tables(problem.program)).get(choice.what, {}))
    place = names.index(choice.name) if choice.name in names else len(names)
    return f"{choice.what}s[{place}].{WHAT[choice.what][0] if choice.what in WHAT else 'slots'}"


def sized(problem: Problem, solution: Solution) -> Program:
    """The program with these counts."""
    program = problem.program
    stations, ports, locations = dict(program.stations), dict(program.ports), dict(program.locations)
    for own, count in zip(problem.choices, solution.counts, strict=True):
        if own.what == "station":
            stations[own.name] = replace(stations[own.name], slots=count)
        elif own.what == "port":
            ports[own.name] = Port(own.name, count)
        else:
            locations[own.name] = Location(own.name, count)
    return replace(program, stations=stations, ports=ports, locations=locations)


def rate_of(problem: Problem, solution: Solution) -> tuple[Fraction, tuple[Dependence, ...]]:
    """Cycles per iteration with these counts, exactly, and a cycle that is as slow."""
    return slowest_cycle(waits_of(sized(problem, solution)))


def score(problem: Problem, solution: Solution) -> int:
    """Sum of the costs; a count that may not be chosen is left out."""
    rows = zip(problem.choices, solution.counts, strict=False)
    return sum(dict(own.costs).get(count, 0) for own, count in rows)


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with counts, in words; empty when they may be chosen and keep the rate."""
    if len(solution.counts) != len(problem.choices):
        return (f"{len(solution.counts)} counts for {len(problem.choices)} choices; one for each is needed",)
    wrong = [
        f"{own.name}: {count} may not be chosen; allowed: {', '.join(map(str, own.counts))}"
        for own, count in zip(problem.choices, solution.counts, strict=True)
        if count not in own.counts
    ]
    if wrong:
        return tuple(wrong)
    program = sized(problem, solution)
    graph = waits_of(program)
    rate, cycle = slowest_cycle(graph)
    if rate > problem.target:
        return (f"target: {rate} cycles per iteration, at most {problem.target} are wanted: {words(graph, cycle)}",)
    late = contradiction(program, graph, problem.target)
    return (late,) if late else ()


@dataclass(frozen=True, slots=True)
class More:
    """What another count of one resource changes, all others as they are.

    Attributes
    ----------
    name
        Of the resource.
    count, next_count
        Now and then.
    rate, next_rate
        Cycles per iteration now and then, exactly.
    saves
        ``rate − next_rate``; below 0 where it is slower, which more may be too (see the head of this module).
    cost
        What it costs more; below 0: less.
    """

    name: str
    count: int
    next_count: int
    rate: Fraction
    next_rate: Fraction
    saves: Fraction
    cost: int


def what_more_buys(problem: Problem, solution: Solution, *, less: bool = False) -> tuple[More, ...]:
    """What the next larger count of each resource buys: exact differences of the rate; nothing where there is none.

    Parameters
    ----------
    less
        The next smaller count instead.

    Raises
    ------
    CheckError
        If a simulation contradicts a rate.
    """
    rate = _seen_rate(problem, solution)
    rows = []
    for i, (own, count) in enumerate(zip(problem.choices, solution.counts, strict=True)):
        others = [other for other in own.counts if (other < count if less else other > count)]
        if others:
            other = others[-1 if less else 0]
            then = _seen_rate(problem, Solution((*solution.counts[:i], other, *solution.counts[i + 1 :])))
            costs = dict(own.costs)
            rows.append(More(own.name, count, other, rate, then, rate - then, costs[other] - costs[count]))
    return tuple(rows)


def _seen_rate(problem: Problem, solution: Solution) -> Fraction:
    """The rate, which a simulation neither exceeds nor falls short of."""
    program = sized(problem, solution)
    graph = waits_of(program)
    rate, cycle = slowest_cycle(graph)
    if wrong := contradiction(program, graph, rate, cycle):
        raise CheckError(f"{rate} cycles per iteration: {wrong}")
    return rate
