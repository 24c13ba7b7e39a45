"""What a change buys: exact rates, and none that a critical cycle forbids."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.kernel.analysis import analyse
from accmine.kernel.latency import latency
from accmine.kernel.program import Issue, Location, Program, Repeat, Station
from accmine.questions.kernel import changes as module
from accmine.questions.kernel.changes import changes, untried
from accmine.questions.kernel.report import _changes
from tests.kernel.programs import random_program
from tests.kernel.test_analysis import product


def rows(program: Program) -> dict[str, tuple[Fraction, bool]]:
    return {change.what: (change.rate, change.enough) for change in changes(program, analyse(program))}


def test_a_copy_or_less_time_makes_it_faster() -> None:
    found = changes(product(), analyse(product()))
    assert [(change.what, change.rate, change.gain, change.enough) for change in found] == [
        ("one more slot of A", Fraction(20), Fraction(4, 5), True),
        ("load taking 4 less in dma (most: 20)", Fraction(32), Fraction(1, 8), True),
        ("matmul taking 4 less in array (most: 16)", Fraction(32), Fraction(1, 8), True),
    ]
    assert found[0].cycles == latency(product(copies=2)), "the change is that of the description"


def test_times_are_shortened_by_what_is_of_use_and_no_more() -> None:
    """With two copies the loads bind, and products as soon as loads are shorter than these."""
    assert rows(product(copies=2)) == {
        "load taking 2 less in dma (most: 20)": (Fraction(18), True),
        "one more slot of dma": (Fraction(18), True),
    }
    assert rows(_matmul_of(19, product(copies=2))) == {
        "load taking 1 less in dma (most: 20)": (Fraction(19), False),
        "one more slot of dma": (Fraction(39, 2), False),  # then 20 + 19 on two copies
    }


def _matmul_of(cycles: int, program: Program) -> Program:
    (loop,) = program.body
    assert isinstance(loop, Repeat)
    load, matmul = loop.body
    assert isinstance(matmul, Issue)
    return replace(program, body=(replace(loop, body=(load, replace(matmul, latency=cycles, hold=cycles))),))


def test_nothing_alone_helps_where_two_cycles_are_as_slow() -> None:
    tied = _matmul_of(20, product(copies=2))
    assert changes(tied, analyse(tied)) == ()


def test_no_loop_no_changes() -> None:
    (loop,) = product().body
    assert isinstance(loop, Repeat)
    flat = replace(product(), body=loop.body)
    assert changes(flat, analyse(flat)) == ()


def test_of_a_pipelined_unit_what_binds_is_moved_and_nothing_else() -> None:
    """As if ``interval`` or ``latency`` were changed in the description; the one that does not bind stays."""
    loop = product(copies=2).body[0]
    assert isinstance(loop, Repeat)
    load, matmul = loop.body
    assert isinstance(load, Issue)
    held = replace(product(copies=4), body=(replace(loop, body=(replace(load, latency=21), matmul)),))
    assert [cause.words for cause in analyse(held).loops[0].cycle][:1] == ["load holds dma for 20"]
    found = {change.what: change for change in changes(held, analyse(held))}
    by_interval = found["load holding dma for 2 less (most: 20)"]
    shorter = replace(held, body=(replace(loop, body=(replace(load, latency=21, hold=18), matmul)),))
    assert (by_interval.cycles, by_interval.rate) == (latency(shorter), analyse(shorter).loops[0].rate)
    late = replace(product(), body=(replace(loop, body=(replace(load, hold=5), matmul)),))
    by_latency = {change.what: change for change in changes(late, analyse(late))}[
        "load taking 4 less in dma (most: 20)"
    ]
    assert by_latency.rate == 32
    shorter = replace(product(), body=(replace(loop, body=(replace(load, latency=16, hold=5), matmul)),))
    assert by_latency.cycles == latency(shorter)


def test_a_bottleneck_that_does_not_help_alone_is_said() -> None:
    program = random_program(421)
    analysis = analyse(program)
    found = changes(program, analysis)
    loop = analysis.dominating
    assert loop is not None
    assert (loop.bottleneck, {change.on for change in found}) == ("p1", {"p0"})
    assert "Nothing of p1 does by itself: another cycle is as slow." in _changes(loop, found).notes
    shown = changes(product(), analyse(product()))
    assert len(_changes(analyse(product()).loops[0], shown).notes) == 1


def test_a_slot_for_which_several_wait_is_one_change() -> None:
    """Two loads and a store in one unit: the loads wait for each other and the store for the second."""
    load_a, load_b = (Issue("ld", (), "lsu", 4, 4, (), (), (name,), ()) for name in "ab")
    store = Issue("st", (), "lsu", 4, 4, (), ("b",), (), ())
    body = (Repeat(100, (load_a, load_b, store), "row"),)
    program = Program(body, {"lsu": Station("lsu", 1)}, {}, {name: Location(name) for name in "ab"}, "sum")
    what = [change.what for change in changes(program, analyse(program))]
    assert what.count("one more slot of lsu") == 1
    assert len(what) == len(set(what))


def test_changes_of_a_large_body_are_left_untried_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    program = product()
    analysis = analyse(program)
    assert (len(changes(program, analysis)), untried(program, analysis)) == (3, 0)
    looks = 2 * (1 + (20).bit_length())  # of the first: two instructions, for each step of the search
    monkeypatch.setattr(module, "MOST_LOOKED_AT", looks)
    assert [change.what for change in changes(program, analysis)] == ["load taking 4 less in dma (most: 20)"]
    assert untried(program, analysis) == 2
    monkeypatch.setattr(module, "MOST_LOOKED_AT", 1)
    assert (changes(program, analysis), untried(program, analysis)) == ((), 3)
