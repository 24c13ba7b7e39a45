"""A program instruction by instruction: the plain reading of its timing, for short programs, traces and tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accmine.kernel.events import END, Course, Moment, Term, advance, course, machine
from accmine.kernel.program import Issue, Program, Repeat

__all__ = ["BEFORE", "Cycles", "Run", "Timed", "run", "unrolled"]

BEFORE = -(1 << 62)
"""The cycle of what has never been."""


class Cycles:
    """Values are cycles."""

    def latest(self, moment: Moment, terms: Sequence[tuple[int, Term]]) -> int:
        """Greatest of value + weight."""
        return max([value + term.weight for value, term in terms])

    def later(self, value: int, cycles: int, rule: str) -> int:
        """The value plus cycles."""
        return value + cycles

    def either(self, one: int, other: int) -> int:
        """The greater of two."""
        return max(one, other)


@dataclass(frozen=True, slots=True)
class Timed:
    """The cycles of one instruction.

    Attributes
    ----------
    enters
        When it enters each station of its path, the unit last.
    leave
        When it leaves the unit.
    """

    issue: Issue
    enters: tuple[int, ...]
    start: int
    finish: int
    leave: int


@dataclass(frozen=True, slots=True)
class Run:
    """Cycles of a program, and of its first instructions."""

    latency: int
    first: tuple[Timed, ...]


def run(program: Program, first: int = 0) -> Run:
    """Time every instruction, one after another: some 20 µs each.

    Parameters
    ----------
    first
        Instructions of which the cycles are kept.
    """
    of = machine(program)
    state = of.state(BEFORE, 0)
    courses: dict[Issue, Course] = {}
    kept: list[Timed] = []
    algebra = Cycles()
    for issue in unrolled(program.body):
        if issue not in courses:
            courses[issue] = course(issue, of)
        times = advance(state, courses[issue], algebra)
        if len(kept) < first:
            kept.append(Timed(issue, tuple(times[:-3]), *times[-3:]))
    return Run(state[END][0], tuple(kept))


def unrolled(body: tuple[Issue | Repeat, ...]) -> Iterator[Issue]:
    """Every instruction as often as it is issued, in program order."""
    for item in body:
        if isinstance(item, Repeat):
            for _ in range(item.trips):
                yield from unrolled(item.body)
        else:
            yield item
