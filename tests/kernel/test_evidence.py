"""What is said for a rate: it holds on random programs, shows where a scalar test errs, and says what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.errors import CheckError
from accmine.kernel.analysis import analyse, inner_loops
from accmine.kernel.evidence import MOST_LOOPS, MOST_STATES, Evidence, evidence
from accmine.kernel.latency import latency
from accmine.kernel.program import Issue, Location, Program, Repeat, Station
from tests.kernel.programs import random_program

MANY = 1_000_000


def loop(*issues: Issue, trips: int = MANY, slots: int = 1) -> Program:
    stations = {issue.unit: Station(issue.unit) for issue in issues}
    return Program((Repeat(trips, issues, "i"),), stations, {}, {"a": Location("a", slots)})


def only(program: Program) -> Evidence:
    (found,) = evidence(program, analyse(program))
    return found


def decoupled(slots: int, trips: int = MANY) -> Program:
    """Loads of 3 run ahead of products of 5."""
    load = Issue("load", (), "dma", 3, 3, writes=("a",))
    use = Issue("use", (), "array", 5, 5, reads=("a",))
    return loop(load, use, trips=trips, slots=slots)


@pytest.mark.parametrize("seed", range(0, 1000, 40))
def test_random_programs_agree_and_their_windows_repeat(seed: int) -> None:
    program = random_program(seed)
    texts = [text for _, _, text in inner_loops(program.body)]
    for one, text in zip(evidence(program, analyse(program)), texts, strict=True):
        assert one.karp
        assert one.first is not None
        assert one.period is not None
        for turns in (1, 3):
            ends = [
                latency(replace(program, body=(Repeat(trips, text.body),)))
                for trips in (one.first + one.period, one.first + one.period * (1 + turns))
            ]
            assert ends[1] - ends[0] == turns * one.period * one.loop.rate


def test_queues_that_fill() -> None:
    found = only(decoupled(40))
    assert found.loop.rate == 5
    assert found.karp
    assert found.first is not None
    assert 40 <= found.first <= 130, "loads gain 2 of 5 cycles an iteration until 40 buffers are full"
    assert (found.cycles, found.scalar_cycles) == (5 * MANY + 3, 5 * MANY + 3)


def test_a_scalar_test_that_errs() -> None:
    """A unit of 100 that takes one per cycle finishes last at first; one that takes 5 does in the end."""
    late = Issue("late", (), "late", 5, 5)
    found = only(loop(Issue("first", (), "slow", 100, 1), late, trips=1_000))
    assert found.cycles == 5_000
    assert found.scalar is not None
    assert found.scalar.increment == 1
    assert found.scalar_cycles == 100 + 999
    assert found.first is not None
    assert found.first >= 25


def test_increments_that_alternate_never_stop_the_scalar_test() -> None:
    """Two copies in turn, 10 per two iterations: finishes in pairs."""
    found = only(loop(Issue("x", (), "u", 5, 0), Issue("y", (), "v", 5, 0, writes=("a",)), slots=2))
    assert found.loop.rate == Fraction(5, 2)
    assert found.period == 2
    assert found.scalar is None
    assert found.scalar_cycles is None


def test_a_scalar_test_stops_in_vain_after_the_end_of_the_loop() -> None:
    found = only(decoupled(2, trips=2))
    assert found.scalar is not None
    assert found.scalar.iterations > 2
    assert found.scalar_cycles is None
    assert found.cycles == 13


def test_what_is_too_large_is_not_looked_at() -> None:
    found = only(decoupled(MOST_STATES))
    assert found.states > MOST_STATES
    assert (found.karp, found.cycles, found.first, found.scalar) == (False, None, None, None)
    assert found.loop.rate == 5
    huge = only(loop(Issue("x", (), "u", 1 << 61, 1 << 61), trips=1))
    assert not huge.karp
    assert huge.loop.rate == 1 << 61
    base = decoupled(1, trips=10)
    several = replace(base, body=tuple(Repeat(10 + n, base.body[0].body) for n in range(MOST_LOOPS + 1)))  # type: ignore[union-attr]
    assert [one.karp for one in evidence(several, analyse(several))] == [False] + [True] * MOST_LOOPS


def test_a_wrong_rate_is_caught() -> None:
    program = decoupled(2)
    analysis = analyse(program)
    wrong = replace(analysis, loops=(replace(analysis.loops[0], rate=Fraction(11, 2)),))
    with pytest.raises(CheckError, match=r"i: 11/2 cycles per iteration by Howard, 5 by Karp"):
        evidence(program, wrong)
