"""What a kernel takes and why: against the recurrence, and what must always hold."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.kernel.analysis import analyse, inner_loops, rate
from accmine.kernel.latency import latency
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from tests.kernel.programs import random_program

FETCH = (Step("fetch", 1),)


def product(trips: int = 1_000, copies: int = 1) -> Program:
    """A load of 20 cycles and a product of 16 on one block, or on several in turn."""
    load = Issue("load", FETCH, "dma", 20, 20, (Access("dram", 4),), writes=("A",))
    matmul = Issue("matmul", FETCH, "array", 16, 16, reads=("A",))
    return Program(
        (Repeat(trips, (load, matmul), "i"),),
        {s.name: s for s in (Station("fetch", 4, 1), Station("dma"), Station("array"))},
        {"dram": Port("dram")},
        {"A": Location("A", copies)},
    )


def test_the_rate_and_its_critical_cycle() -> None:
    found = analyse(product())
    (loop,) = found.loops
    assert (loop.name, loop.iterations, loop.rate) == ("i", 1_000, Fraction(36))
    assert sum(cause.cycles for cause in loop.cycle) == 36
    assert sum(cause.iterations for cause in loop.cycle) == 1
    assert {cause.words for cause in loop.cycle} == {
        "load takes 20 in dma",
        "matmul reads A, which load wrote",
        "matmul takes 16 in array",
        "load writes A, which matmul 1 iteration earlier read",
    }
    assert found.dominating is loop
    assert loop.bottleneck == found.bottleneck == "dma"
    assert analyse(product(copies=2)).loops[0].rate == 20


def test_utilisation_is_what_is_held_of_all_cycles() -> None:
    found = analyse(product())
    uses = {use.name: use for use in found.uses}
    assert [use.name for use in found.uses][:3] == ["dma", "array", "dram"]
    assert uses["dma"].least == 20_000
    assert uses["dma"].share == Fraction(20_000, found.cycles)
    assert uses["dram"].least == 4_000
    assert uses["fetch"].least == 1_999, "one enters per cycle"


def test_loops_by_name_and_all_their_iterations() -> None:
    (item,) = product(4).body
    nest = replace(product(), body=(Repeat(3, (item, Repeat(5, item.body)), "outer"), *item.body))  # type: ignore[union-attr]
    assert [(name, count) for name, count, _ in inner_loops(nest.body)] == [("outer/i", 12), ("outer/1", 15)]
    found = analyse(nest)
    assert found.instructions == 2 * 27 + 2
    assert found.dominating is found.loops[1]


def test_a_program_without_a_loop_has_no_rate() -> None:
    (item,) = product(1).body
    found = analyse(replace(product(), body=item.body))  # type: ignore[union-attr]
    assert (found.loops, found.dominating, found.cycles) == ((), None, 37)
    assert found.bottleneck == "dma"


@pytest.mark.parametrize("seed", range(0, 1000, 25))
def test_bounds_utilisation_and_slope(seed: int) -> None:
    program = random_program(seed)
    found = analyse(program)
    assert found.busy <= found.cycles <= found.serial
    assert all(0 <= use.least <= found.cycles for use in found.uses)
    for _, _, loop in inner_loops(program.body):
        ratio, causes = rate(program, loop)
        back = sum(cause.iterations for cause in causes)
        assert ratio * back == sum(cause.cycles for cause in causes)
        alone = replace(program, body=(replace(loop, trips=4_000),))
        long = replace(program, body=(replace(loop, trips=4_000 + 2_520),))
        assert (latency(long) - latency(alone)) / 2_520 == pytest.approx(float(ratio), abs=0.02)
