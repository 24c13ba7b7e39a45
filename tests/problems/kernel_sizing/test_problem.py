"""What a sizing is: costs, the check, and what one more buys."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.errors import InputError
from accmine.kernel.graph import EventGraph
from accmine.kernel.program import Access, Issue, Port, Program, Station, Step
from accmine.problems.kernel_sizing import Choice, Problem, Solution, check, rate_of, score, sized, what_more_buys
from accmine.problems.kernel_sizing import problem as module
from accmine.problems.kernel_sizing.waits import waits_of
from tests.samples.kernel_sizing_sample import every, random_sizing

PAIR = tuple((count, 10 * count) for count in (1, 2, 3))


def long_and_short() -> Problem:
    """One long and two short accesses to a group of ports, each of a unit of its own."""
    rows = (("long", 10), ("a", 1), ("b", 1))
    body = tuple(Issue(label, (), label, 1, 0, (Access("p", cycles),)) for label, cycles in rows)
    program = Program(body, {label: Station(label) for label, _ in rows}, {"p": Port("p")})
    return Problem(program, (Choice("port", "p", PAIR),), Fraction(6))


def test_more_may_be_slower() -> None:
    """Ports are taken in turn: of three, the long access always has the first; of two, it has them in turn."""
    problem = long_and_short()
    assert [rate_of(problem, Solution((count,)))[0] for count in (1, 2, 3)] == [12, 6, 10]
    assert check(problem, Solution((2,))) == ()
    (wrong,) = check(problem, Solution((3,)))
    assert wrong.startswith("target: 10 cycles per iteration, at most 6 are wanted: long takes the port of p that")


def test_what_one_more_buys() -> None:
    rows = [what_more_buys(long_and_short(), Solution((count,))) for count in (1, 2, 3)]
    assert [[(row.count, row.next_count, row.saves, row.cost) for row in own] for own in rows] == [
        [(1, 2, Fraction(6), 10)],
        [(2, 3, Fraction(-4), 10)],
        [],
    ]


def test_fractions_are_exact() -> None:
    problem = long_and_short()
    body = (*problem.program.body, Issue("c", (), "c", 1, 0, (Access("p", 1),)))
    choices = (Choice("port", "p", ((3, 1), (4, 2))),)
    stations = {name: Station(name, 8) for name in ("long", "a", "b", "c")}
    other = Problem(replace(problem.program, body=body, stations=stations), choices, Fraction(13, 3))
    assert rate_of(other, Solution((3,)))[0] == Fraction(13, 3)
    assert check(other, Solution((3,))) == ()
    assert check(replace(other, target=Fraction(13, 3) - Fraction(1, 10**9)), Solution((3,))) != ()


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_a_slot_more_of_a_station_is_never_slower(seed: int) -> None:
    problem = random_sizing(seed)
    stations = {own.name for own in problem.choices if own.what == "station"}
    for solution in every(problem)[:6]:
        assert all(row.saves >= 0 for row in what_more_buys(problem, solution) if row.name in stations)


def test_the_simulation_sees_a_wait_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_a_port_more(program: Program) -> EventGraph:
        return waits_of(replace(program, ports={"p": Port("p", 2)}))

    monkeypatch.setattr(module, "waits_of", with_a_port_more)
    assert "late" in check(long_and_short(), Solution((1,)))[0]


def test_wrong_counts() -> None:
    problem = long_and_short()
    assert check(problem, Solution((4,))) == ("p: 4 may not be chosen; allowed: 1, 2, 3",)
    assert check(problem, Solution(())) == ("0 counts for 1 choices; one for each is needed",)
    assert score(problem, Solution((2,))) == 20
    assert sized(problem, Solution((2,))).ports["p"].count == 2


@pytest.mark.parametrize(
    ("program", "costs", "target", "message"),
    [
        ({}, PAIR, Fraction(0), "target: 0 is not allowed"),
        ({}, (), Fraction(1), r"ports\[0\].count: at least one count"),
        ({}, ((2, 1), (1, 1)), Fraction(1), "counts must ascend"),
        ({}, ((0, 1),), Fraction(1), "count 0 at cost 1"),
        ({}, ((1, -1),), Fraction(1), "count 1 at cost -1"),
        ({}, ((1, 1 << 60),), Fraction(1), "take a larger unit"),
        ({}, PAIR, Fraction(1, 1 << 57), "take a simpler target"),
        ({"body": ()}, PAIR, Fraction(1), "at least one instruction"),
        ({"body": (Issue("a", (Step("a"),), "a", 1, 1),)}, PAIR, Fraction(1), "is there twice"),
        ({"body": (Issue("a", (), "v", 1, 1),)}, PAIR, Fraction(1), "no station 'v'"),
        ({"body": (Issue("a", (), "a", -1, 1),)}, PAIR, Fraction(1), "-1 cycles are not allowed"),
    ],
)
def test_what_is_refused(program: dict[str, object], costs: object, target: Fraction, message: str) -> None:
    problem = long_and_short()
    with pytest.raises(InputError, match=message):
        Problem(replace(problem.program, **program), (Choice("port", "p", costs),), target)  # type: ignore[arg-type]
