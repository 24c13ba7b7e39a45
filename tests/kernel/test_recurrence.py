"""The rules of ``program.py``, one by one with cycles counted by hand, and step by step as the simulator has them."""

from __future__ import annotations

import pytest

from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from accmine.kernel.recurrence import run
from accmine.kernel.simulator import simulate
from tests.kernel.programs import random_program

STATIONS = {"f": Station("f", 2), "q": Station("q", 2), "u": Station("u"), "v": Station("v", 2)}


def timed(
    *issues: Issue, ports: int = 1, slots: int = 1, **stations: Station
) -> list[tuple[tuple[int, ...], int, int]]:
    """(enters, start, finish) of each."""
    program = Program(issues, STATIONS | stations, {"p": Port("p", ports)}, {"x": Location("x", slots)})
    return [(one.enters, one.start, one.finish) for one in run(program, len(issues)).first]


def test_a_slot_is_handed_over_in_the_cycle_in_which_it_is_left() -> None:
    a = Issue("a", (), "u", 4, 4)
    assert timed(a, a) == [((0,), 0, 4), ((4,), 4, 8)]
    assert timed(a, a, a, u=Station("u", 2)) == [((0,), 0, 4), ((0,), 0, 4), ((4,), 4, 8)]


def test_a_pipelined_unit_is_left_before_the_finish() -> None:
    a = Issue("a", (), "u", 4, 1)
    assert timed(a, a) == [((0,), 0, 4), ((1,), 1, 5)]


def test_an_interval_holds_from_the_second_on() -> None:
    a = Issue("a", (), "v", 1, 1)
    assert timed(a, a, v=Station("v", 9, 3)) == [((0,), 0, 1), ((3,), 3, 4)]


def test_a_full_unit_holds_back_what_is_before_it() -> None:
    a = Issue("a", (Step("f", 1), Step("q", 0)), "u", 10, 10)
    # the second waits in q until 11, the third in q until 21, the fourth in f until q has a slot at 11
    assert [enters for enters, _, _ in timed(a, a, a, a)] == [(0, 1, 1), (0, 1, 11), (1, 2, 21), (1, 11, 31)]


def test_first_in_first_out_whatever_the_unit() -> None:
    slow, quick = (Issue(unit, (Step("f", latency),), unit, 1, 1) for unit, latency in (("u", 5), ("v", 0)))
    assert timed(slow, quick) == [((0, 5), 5, 6), ((0, 5), 5, 6)]


def test_what_is_read_is_waited_for_in_the_unit() -> None:
    write = Issue("w", (), "u", 6, 6, writes=("x",))
    read = Issue("r", (), "v", 1, 1, reads=("x",))
    other = Issue("o", (), "v", 1, 1)
    assert timed(write, read, other, v=Station("v", 1)) == [((0,), 0, 6), ((0,), 6, 7), ((7,), 7, 8)]


def test_a_copy_is_written_when_all_have_read_it() -> None:
    read = Issue("r", (), "u", 6, 1, reads=("x",))
    write = Issue("w", (), "v", 2, 2, writes=("x",))
    assert [start for _, start, _ in timed(read, write, write)] == [0, 6, 8]
    assert [start for _, start, _ in timed(read, write, write, slots=2)] == [0, 0, 6]  # the second is where it read
    assert [start for _, start, _ in timed(read, write, write, slots=3)] == [0, 0, 0]


def test_an_update_looks_at_the_copy_it_writes() -> None:
    write = Issue("w", (), "u", 5, 5, writes=("x",))
    update = Issue("m", (), "v", 3, 3, updates=("x",))
    read = Issue("r", (), "v", 1, 1, reads=("x",))
    assert [start for _, start, _ in timed(write, update, read, slots=3)] == [0, 5, 8]


def test_ports_are_taken_in_turn_from_the_start() -> None:
    a = Issue("a", (), "v", 9, 1, (Access("p", 4),))
    v = Station("v", 9)
    assert [start for _, start, _ in timed(a, a, a, v=v)] == [0, 4, 8]
    assert [start for _, start, _ in timed(a, a, a, a, ports=3, v=v)] == [0, 0, 0, 4]


def test_nothing_takes_no_time() -> None:
    assert run(Program((), {})).latency == 0
    assert run(Program((Repeat(3, ()),), {})).latency == 0


@pytest.mark.parametrize("seed", range(60))
def test_each_cycle_is_that_of_the_simulator(seed: int) -> None:
    program = random_program(seed)
    seen = simulate(program)
    times = run(program, len(seen.passages))
    assert times.latency == seen.cycles
    for one, other in zip(times.first, seen.passages, strict=True):
        assert (one.enters, one.start, one.finish, one.leave) == (
            other.enter,
            other.start,
            other.finish,
            other.leave[-1],
        )
