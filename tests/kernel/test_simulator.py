"""The simulator of kernel programs: its rules by hand, its limits, and the laws it must obey."""

from __future__ import annotations

import ast
import heapq
import random
from itertools import product
from pathlib import Path

import pytest

import accmine.kernel.simulator as simulator
from accmine.errors import CheckError
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from accmine.kernel.simulator import SimulationLimitError, simulate
from tests.kernel.programs import random_program, unrolled
from tests.kernel.worked import EXAMPLES, Times


@pytest.mark.parametrize("name", EXAMPLES)
def test_rules_by_hand(name: str) -> None:
    program, expected = EXAMPLES[name]
    seen = simulate(program)
    times: list[Times] = [(one.enter, one.leave, one.start, one.finish) for one in seen.passages]
    assert times == expected
    assert seen.cycles == max(finish for *_, finish in expected)


def test_oracle_shares_no_timing_code() -> None:
    tree = ast.parse(Path(simulator.__file__).read_text(encoding="utf-8"))
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in named if name and name.startswith("accmine.")} == {
        "accmine.errors",
        "accmine.kernel.program",
    }


def test_utilisation() -> None:
    load = Issue("load", (Step("f", 1),), "dma", 4, 4, (Access("p", 3),), writes=("x",))
    add = Issue("add", (Step("f", 1),), "alu", 2, 1, reads=("x",))
    stations = {"f": Station("f", 2), "dma": Station("dma"), "alu": Station("alu"), "spare": Station("spare")}
    seen = simulate(Program((Repeat(2, (load, add)),), stations, {"p": Port("p")}, {"x": Location("x", 2)}))
    # load 0: f 0-1, dma 1-5; add 0: f 0-1, alu from 1, waits for x until 5, leaves 6, ends 7
    # load 1: f 1-5, dma 5-9; add 1: f 1-6, alu from 6, waits until 9, leaves 10, ends 11
    assert [(one.enter, one.leave) for one in seen.passages] == [
        ((0, 1), (1, 5)),
        ((0, 1), (1, 6)),
        ((1, 5), (5, 9)),
        ((1, 6), (6, 10)),
    ]
    assert seen.cycles == 11
    assert seen.held == {"f": 1 + 1 + 4 + 5, "dma": 8, "alu": 5 + 4, "spare": 0}
    assert seen.busy == {"dma": 8, "alu": 2, "p": 6}


@pytest.mark.parametrize("seed", range(0, 500, 25))
def test_first_instructions_do_not_depend_on_later_ones(seed: int) -> None:
    program = random_program(seed)
    every = simulate(program).passages
    for first in {1, len(every) // 2, len(every) - 1, len(every) + 9} - {0}:
        assert simulate(program, first=first).passages == every[:first]


def test_nothing_issued() -> None:
    program, _ = EXAMPLES["latency"]
    assert simulate(program, first=0).cycles == 0


def test_limits() -> None:
    body = EXAMPLES["latency"][0].body
    program = Program((Repeat(10**12, body),), {"f": Station("f"), "u": Station("u")}, name="long")
    with pytest.raises(SimulationLimitError, match=r"long: 1,000,000,000,000 instructions; .* at most 200,000"):
        simulate(program)
    assert len(simulate(program, first=10, most_instructions=10).passages) == 10
    with pytest.raises(SimulationLimitError, match="at most 9"):
        simulate(program, first=10, most_instructions=9)
    ends = simulate(program, first=10).cycles
    assert simulate(program, first=10, most_cycles=ends).cycles == ends
    with pytest.raises(SimulationLimitError, match=f"not at its end after {ends - 1} cycles"):
        simulate(program, first=10, most_cycles=ends - 1)


def test_idle_cycles_take_no_time() -> None:
    slow = Issue("slow", (), "u", 10**8, 10**8)
    assert simulate(Program((slow,) * 9, {"u": Station("u")})).cycles == 9 * 10**8


@pytest.mark.parametrize("steps", [("s", "s"), ("u",), ("v",)], ids=["twice", "its own unit", "another's unit"])
def test_programs_against_the_rules_are_refused(steps: tuple[str, ...]) -> None:
    stations = {name: Station(name, 2) for name in "suv"}
    wrong = Issue("wrong", tuple(Step(name) for name in steps), "u", 1, 1)
    with pytest.raises(CheckError, match=r"wrong: .* once .* unit"):
        simulate(Program((Issue("right", (), "v", 1, 1), wrong), stations))


def output_stationary(rows: int, cols: int, macs: int) -> Program:
    """An array of processing elements that hand operands to the right and downwards, one MAC per cycle each.

    The registers between two elements have two slots: their reader holds a value to the end of its cycle, in which the
    next one is written already.
    """
    stations: dict[str, Station] = {}
    locations: dict[str, Location] = {}
    body: list[Issue] = []
    for r, c in product(range(rows), range(cols)):
        stations[f"pe {r} {c}"] = Station(f"pe {r} {c}")
        locations |= {name: Location(name, 2) for name in (f"a {r} {c}", f"b {r} {c}")}
        locations[f"acc {r} {c}"] = Location(f"acc {r} {c}")
        reads = ([f"a {r} {c}"] if c else []) + ([f"b {r} {c}"] if r else [])
        writes = ([f"a {r} {c + 1}"] if c + 1 < cols else []) + ([f"b {r + 1} {c}"] if r + 1 < rows else [])
        mac = Issue("mac", (), f"pe {r} {c}", 1, 1, (), tuple(reads), tuple(writes), (f"acc {r} {c}",))
        body.append(mac)
    return Program((Repeat(macs, tuple(body)),), stations, {}, locations)


@pytest.mark.parametrize(("rows", "cols"), list(product(range(1, 9), repeat=2)))
def test_output_stationary_array(rows: int, cols: int) -> None:
    for macs in range(1, 9):
        assert simulate(output_stationary(rows, cols, macs)).cycles == rows + cols + macs - 2


def true_servers(arrivals: list[int], holds: list[int], servers: int) -> list[int]:
    """Starts where each takes whichever server is free first, in the order of the arrivals."""
    free = [0] * servers
    starts = []
    for arrival, hold in zip(arrivals, holds, strict=True):
        starts.append(max(arrival, heapq.heappop(free)))
        heapq.heappush(free, starts[-1] + hold)
    return starts


def queued(holds: list[int], interval: int, servers: int, kind: str) -> tuple[list[int], list[int]]:
    """Arrivals and starts of instructions that come every ``interval`` cycles at a unit, or at ports in its stead."""
    ports = {"p": Port("p", servers)} if kind == "port" else {}
    slots = servers if kind == "unit" else 1
    stations = {"f": Station("f", len(holds), interval), "u": Station("u", slots)}
    body = [
        Issue("i", (Step("f"),), "u", hold, hold if kind == "unit" else 0, tuple(Access("p", hold) for _ in ports))
        for hold in holds
    ]
    seen = simulate(Program(tuple(body), stations, ports)).passages
    return [one.enter[0] for one in seen], [one.start for one in seen]


@pytest.mark.parametrize("kind", ["unit", "port"])
def test_slots_in_turn_are_never_earlier_than_true_servers(kind: str) -> None:
    later = 0
    for seed in range(150):
        rng = random.Random(seed)
        servers = rng.randint(1, 5)
        holds = [rng.randint(0, 9) for _ in range(30)]
        arrivals, starts = queued(holds, rng.randint(0, 3), servers, kind)
        true = true_servers(arrivals, holds, servers)
        assert all(one >= other for one, other in zip(starts, true, strict=True))
        later += starts != true
        equal = [rng.randint(0, 9)] * 30
        arrivals, starts = queued(equal, rng.randint(0, 3), servers, kind)
        assert starts == true_servers(arrivals, equal, servers)
    assert later > 50


def test_ports_in_turn_may_be_earlier_where_starts_are_out_of_order() -> None:
    """The law needs starts in program order; ports that several units share do not keep it."""
    holds = [10, 1, 5, 1]
    body = [Issue("i", (), f"u{n}", hold, hold, (Access("p", hold),)) for n, hold in enumerate(holds)]
    program = Program(tuple(body), {f"u{n}": Station(f"u{n}") for n in range(4)}, {"p": Port("p", 2)})
    assert [one.start for one in simulate(program).passages] == [0, 0, 10, 1]
    assert true_servers([0] * 4, holds, 2) == [0, 0, 1, 6]


def test_random_programs_are_as_said() -> None:
    programs = [random_program(seed) for seed in range(500)]
    assert programs == [random_program(seed) for seed in range(500)]
    assert len({str((one.stations, one.ports, one.locations)) for one in programs}) == 20
    assert all(len(unrolled(one)) == one.instructions <= 300 for one in programs)
