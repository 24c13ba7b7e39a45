"""What would have to change for a tenth more: one resource at a time, the exact rate of the loop with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

from accmine.kernel.analysis import Analysis, Cause, inner_loops, rate
from accmine.kernel.latency import latency
from accmine.kernel.program import Access, Issue, Program, Repeat

__all__ = ["MOST_LOOKED_AT", "TENTH", "Change", "changes", "untried"]

TENTH = Fraction(11, 10)
"""Iterations per cycle that are asked for, by those that there are."""

MOST_LOOKED_AT = 10_000
"""Instructions of loop bodies that are looked at in the search for changes: some ten seconds; the rest is untried."""


@dataclass(frozen=True)
class Change:
    """One change and what it buys.

    Attributes
    ----------
    on
        The station, port group or location that is moved.
    what
        In words: ``one more slot of array``.
    rate, gain
        Cycles per iteration of the dominating loop afterwards, and by how much it is faster: 1/4 is 25 % more.
    cycles
        Of the whole kernel.
    enough
        Whether the loop is a tenth faster.
    """

    on: str
    what: str
    rate: Fraction
    gain: Fraction
    cycles: int
    enough: bool


@dataclass(frozen=True)
class _Lever:
    """A number of a program that one may move: what is said of a move by so much, and the program with it."""

    said: Callable[[int], str]
    moved: Callable[[Program, int], Program]
    most: int


def changes(program: Program, analysis: Analysis) -> tuple[Change, ...]:
    """The single changes that make the dominating loop faster, those that gain most first.

    Only what is on its critical cycle can: while that cycle stays as it is, so does the rate. A slot or a port more is
    one more; what takes time is shortened by what a tenth takes, or by what is of use where no shortening is enough.
    None at all helps where another cycle is as slow.
    """
    loop = analysis.dominating
    if loop is None or loop.rate == 0:
        return ()
    index = analysis.loops.index(loop)
    found = []
    for on, lever in _tried(program, index, loop.cycle)[0]:
        step = _least(program, lever, index, loop.rate)
        if step:
            changed = lever.moved(program, step)
            new = _rate(changed, index)
            gain = loop.rate / new - 1 if new else Fraction(10**6)
            found.append(Change(on, lever.said(step), new, gain, latency(changed), loop.rate >= new * TENTH))
    return tuple(sorted(found, key=lambda change: (change.rate, change.what)))


def untried(program: Program, analysis: Analysis) -> int:
    """Changes that ``changes`` leaves out since the body of the loop is too large to look at it so often."""
    loop = analysis.dominating
    if loop is None or loop.rate == 0:
        return 0
    return _tried(program, analysis.loops.index(loop), loop.cycle)[1]


def _tried(program: Program, index: int, cycle: Sequence[Cause]) -> tuple[list[tuple[str, _Lever]], int]:
    """Levers for which there is time, in the order of the cycle, and how many others there are."""
    loop = list(inner_loops(program.body))[index][2]
    levers = list(_levers(program, loop, cycle))
    looks = accumulate(len(loop.body) * (1 + lever.most.bit_length()) for _, lever in levers)
    few = [lever for lever, looked in zip(levers, looks, strict=True) if looked <= MOST_LOOKED_AT]
    return few, len(levers) - len(few)


def _rate(program: Program, index: int) -> Fraction:
    return rate(program, list(inner_loops(program.body))[index][2])[0]


def _least(program: Program, lever: _Lever, index: int, before: Fraction) -> int:
    """The least move that is enough; where none is, the least of those that gain most; 0: none gains."""
    best = _rate(lever.moved(program, lever.most), index) if lever.most else before
    if best >= before:
        return 0
    wanted = max(best, before / TENTH)
    low, high = 0, lever.most  # the rate never grows with the move
    while high - low > 1:
        middle = (low + high) // 2
        if _rate(lever.moved(program, middle), index) <= wanted:
            high = middle
        else:
            low = middle
    return high


def _levers(program: Program, loop: Repeat, cycle: Sequence[Cause]) -> Iterator[tuple[str, _Lever]]:
    """(On what, lever) of what could be moved of everything on a critical cycle, each once."""
    seen: set[str] = set()
    for cause in cycle:
        for lever in _of_cause(program, [issue for issue in loop.body if isinstance(issue, Issue)], cause):
            if (same := lever.said(1)) not in seen:  # two instructions may wait for one slot
                seen.add(same)
                yield cause.on, lever


def _of_cause(program: Program, body: Sequence[Issue], cause: Cause) -> Iterator[_Lever]:
    on, label = cause.on, cause.label
    if cause.rule == "slot":
        yield _Lever(lambda _: f"one more slot of {on}", lambda p, n: _more(p, "stations", on, slots=n), 1)
    elif cause.rule in ("WAR", "WAW"):
        yield _Lever(lambda _: f"one more slot of {on}", lambda p, n: _more(p, "locations", on, slots=n), 1)
    elif cause.rule == "interval":
        interval = program.stations[on].interval
        yield _Lever(
            lambda n: f"an interval of {on} of {interval - n} instead of {interval}",
            lambda p, n: _more(p, "stations", on, interval=-n),
            interval,
        )
    elif cause.rule == "port":
        yield _Lever(lambda _: f"one more port of {on}", lambda p, n: _more(p, "ports", on, count=n), 1)
        hold = max((a.hold for i in body if i.label == label for a in i.accesses if a.port == on), default=0)
        yield _Lever(
            lambda n: f"{label} holding {on} for {n} less (most: {hold})",
            lambda p, n: _edited(p, lambda issue: _port_held_less(issue, label, on, n)),
            hold,
        )
    elif cause.rule == "hold":
        most = max(issue.hold for issue in body if (issue.label, issue.unit) == (label, on))
        yield _Lever(
            lambda n: f"{label} holding {on} for {n} less (most: {most})",
            lambda p, n: _edited(p, lambda issue: _unit_held_less(issue, label, on, n)),
            most,
        )
    elif cause.rule == "latency":
        yield _shorter(body, label, on)


def _shorter(body: Sequence[Issue], label: str, on: str) -> _Lever:
    own = [issue for issue in body if issue.label == label]
    if any(issue.unit == on for issue in own):
        most = max(issue.latency for issue in own if issue.unit == on)
        return _Lever(
            lambda n: f"{label} taking {n} less in {on} (most: {most})",
            lambda p, n: _edited(p, lambda issue: _unit_faster(issue, label, on, n)),
            most,
        )
    most = max(step.latency for issue in own for step in issue.steps if step.station == on)
    return _Lever(
        lambda n: f"{n} less in {on} (most: {most})",
        lambda p, n: _edited(p, lambda issue: _stage_faster(issue, on, n)),
        most,
    )


def _more(program: Program, kind: str, name: str, **added: int) -> Program:
    table = dict(getattr(program, kind))
    old = table[name]
    table[name] = replace(old, **{key: getattr(old, key) + value for key, value in added.items()})
    changed: dict[str, Any] = {kind: table}
    return replace(program, **changed)


def _edited(program: Program, edit: Callable[[Issue], Issue]) -> Program:
    def walked(body: tuple[Issue | Repeat, ...]) -> tuple[Issue | Repeat, ...]:
        return tuple(replace(item, body=walked(item.body)) if isinstance(item, Repeat) else edit(item) for item in body)

    return replace(program, body=walked(program.body))


def _unit_faster(issue: Issue, label: str, unit: str, cycles: int) -> Issue:
    """Earlier finish; a unit that is held to the finish, or would be longer, is left earlier too."""
    if (issue.label, issue.unit) != (label, unit):
        return issue
    latency = max(0, issue.latency - cycles)
    return replace(issue, latency=latency, hold=issue.hold if issue.hold > issue.latency else min(issue.hold, latency))


def _unit_held_less(issue: Issue, label: str, unit: str, cycles: int) -> Issue:
    """An interval that is shorter, as of a unit with one of its own."""
    return replace(issue, hold=max(0, issue.hold - cycles)) if (issue.label, issue.unit) == (label, unit) else issue


def _stage_faster(issue: Issue, station: str, cycles: int) -> Issue:
    steps = tuple(
        replace(step, latency=max(0, step.latency - cycles)) if step.station == station else step
        for step in issue.steps
    )
    return replace(issue, steps=steps)


def _port_held_less(issue: Issue, label: str, port: str, cycles: int) -> Issue:
    if issue.label != label:
        return issue
    held = tuple(Access(a.port, max(0, a.hold - cycles)) if a.port == port else a for a in issue.accesses)
    return replace(issue, accesses=held)
