"""The worked examples of docs/kernel-models.md: one for each rule of the timing."""

from __future__ import annotations

import importlib.util
import re
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from accmine.kernel.latency import latency
from accmine.kernel.program import Access, Issue, Location, Port, Program, Station, Step
from accmine.kernel.simulator import simulate

PAGE = (Path(__file__).resolve().parents[2] / "docs/kernel-models.md").read_text(encoding="utf-8")
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks/kernel.py"
FETCH = (Step("fetch", 1),)


def program(*issues: Issue, fetch: Station = Station("fetch", 2, 1), slots: int = 1, ports: int = 1) -> Program:  # noqa: B008
    units = [Station(name) for name in ("A", "B")]
    queue, pool = Station("queue", 2), Station("pool", 2)
    return Program(
        issues,
        {station.name: station for station in (fetch, queue, pool, *units)},
        {"bank": Port("bank", ports)},
        {"r": Location("r", slots)},
    )


def issue(unit: str, latency: int, hold: int | None = None, steps: tuple[Step, ...] = FETCH, **uses: str) -> Issue:
    words = {key: (name,) for key, name in uses.items() if key != "port"}
    accesses = (Access(uses["port"], latency),) if "port" in uses else ()
    return Issue(unit, steps, unit, latency, latency if hold is None else hold, accesses, **words)


SLOW, LOAD = (Step("queue", 5),), issue("A", 4, writes="r")
ONE = Station("fetch", 1, 1)
EXAMPLES = {
    "latency": program(issue("A", 3)),
    "slot": program(*[issue("A", 3)] * 2),
    "slot, pipelined": program(*[issue("A", 3, 1)] * 2),
    "slots in turn": program(*(issue("pool", cycles) for cycles in (10, 1, 1))),
    "interval": program(*[issue("A", 3)] * 2, fetch=Station("fetch", 2, 5)),
    "back-pressure": program(*[issue("A", 3)] * 3, fetch=ONE),
    "order": program(issue("A", 2, steps=SLOW), issue("B", 1, steps=(Step("queue", 1),))),
    "RAW": program(LOAD, issue("B", 1, reads="r")),
    "WAR": program(issue("A", 4, reads="r"), issue("B", 1, writes="r")),
    "WAR, two slots": program(issue("A", 4, reads="r"), issue("B", 1, writes="r"), slots=2),
    "WAW": program(LOAD, issue("B", 1, writes="r")),
    "port": program(issue("A", 3, port="bank"), issue("B", 3, port="bank")),
    "port, two": program(issue("A", 3, port="bank"), issue("B", 3, port="bank"), ports=2),
}
ROWS = {cells[0].strip(): int(cells[-1]) for cells in re.findall(r"^\| ([^|]+) \|.*\| (\d+) \|$", PAGE, re.M)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_has_the_cycles_of_every_rule(name: str) -> None:
    assert ROWS[name] == latency(EXAMPLES[name]) == simulate(EXAMPLES[name]).cycles


def test_the_moments_that_the_page_names() -> None:
    """What the last column of the table does not show."""
    waits = simulate(EXAMPLES["back-pressure"]).passages[2]
    assert (waits.enter[0], waits.enter[1]) == (4, 7)
    roomy = program(*[issue("A", 3)] * 3)
    assert simulate(roomy).passages[2].enter == (2, 7)
    first, second = simulate(EXAMPLES["order"]).passages
    assert (first.leave[0], second.leave[0], second.finish) == (5, 5, 6)
    held = simulate(EXAMPLES["RAW"]).passages[1]
    assert (held.enter[1], held.start) == (2, 5)


def test_billions_of_instructions_on_up_to_200_states() -> None:
    spec = importlib.util.spec_from_file_location("kernel_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["kernel_benchmark"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    row = module.measure(module.kernel(4_190_000_000, 24))
    assert f"{row.instructions:,} instructions" in PAGE
    assert row.instructions == 4_189_999_996
    assert 100 <= row.states <= 200
    assert row.checked == 2_000
    iterations = row.instructions // 7
    start = row.cycles - Fraction(row.rate) * iterations
    assert 0 <= start < 1_000, "beside the rate there is only what it takes to get there"
