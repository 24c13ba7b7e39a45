"""Traces of kernels: the slices of a small one by hand, and that nothing is lost or overlaps on random ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from accmine.kernel.simulator import SimulationLimitError, simulate
from accmine.report import kernel_lanes, perfetto, write_kernel_trace
from tests.kernel.programs import random_program

LOAD = Issue("load", (Step("f", 1),), "dma", 4, 4, (Access("p", 3),), writes=("x",))
ADD = Issue("add", (Step("f", 1),), "alu", 2, 1, reads=("x",))
STATIONS = {"f": Station("f", 2), "dma": Station("dma"), "alu": Station("alu"), "spare": Station("spare")}
PROGRAM = Program((Repeat(2, (LOAD, ADD), "i"),), STATIONS, {"p": Port("p")}, {"x": Location("x", 2)}, "tiny")


def slices(trace: dict[str, Any]) -> dict[str, list[tuple[str, int, int]]]:
    """Per thread: name, start and end in cycles."""
    threads = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    found: dict[str, list[tuple[str, int, int]]] = {name: [] for name in threads.values()}
    for event in trace["traceEvents"]:
        if event["ph"] == "X":
            start, cycles = round(1000 * event["ts"]), round(1000 * event["dur"])
            found[threads[event["tid"]]].append((event["name"], start, start + cycles))
    return found


def test_slices_by_hand() -> None:
    trace = perfetto(kernel_lanes(PROGRAM))
    # load 0: f 0-1, dma 1-5; add 0: f 0-1, alu 1-6, waits for x until 5, ends 7
    # load 1: f 1-5, dma 5-9; add 1: f 1-6, alu 6-10, waits until 9, ends 11
    assert slices(trace) == {
        "f 0": [("load", 0, 1), ("load", 1, 2), ("load waits", 2, 5)],
        "f 1": [("add", 0, 1), ("add", 1, 2), ("add waits", 2, 6)],
        "dma": [("load", 1, 5), ("load", 5, 9)],
        "alu 0": [("add waits", 1, 5), ("add", 5, 7)],
        "alu 1": [("add waits", 6, 9), ("add", 9, 11)],
        "p": [("load", 1, 4), ("load", 5, 8)],
    }
    (last,) = (e for e in trace["traceEvents"] if e["ph"] == "X" and round(1000 * e["ts"]) == 9)
    assert last["args"] == {"instruction": 3, "iteration": {"i": 1}, "start": 9, "finish": 11}


def test_iterations_of_nests() -> None:
    inner = Repeat(2, (LOAD,), "j")
    program = Program((Repeat(2, (inner, ADD, Repeat(1, (ADD,))), "j"),), STATIONS, PROGRAM.ports, PROGRAM.locations)
    rounds = {one.args["instruction"]: one.args["iteration"] for one in kernel_lanes(program)}
    nest = [[{"j": j, "j'": 0}, {"j": j, "j'": 1}, {"j": j}, {"j": j, "loop": 0}] for j in range(2)]
    assert rounds == dict(enumerate(nest[0] + nest[1]))


@pytest.mark.parametrize("seed", range(0, 500, 10))
def test_nothing_is_lost_and_nothing_overlaps(seed: int) -> None:
    program = random_program(seed)
    seen = simulate(program, first=100)
    shown: Counter[str] = Counter()
    for thread, rows in slices(perfetto(kernel_lanes(program, first=100))).items():  # refuses what overlaps
        shown[thread.partition(" ")[0]] += sum(end - start for _, start, end in rows)
    for one in seen.passages:  # what a unit goes on to finish after it was left
        shown[one.issue.unit] -= max(0, one.finish - one.leave[-1])
    ports = {name: cycles for name, cycles in seen.busy.items() if name in program.ports}
    assert +shown == +Counter({**seen.held, **ports})


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "trace.json"
    long = Program((Repeat(10**12, PROGRAM.body),), PROGRAM.stations, PROGRAM.ports, PROGRAM.locations)
    write_kernel_trace(path, long, first=8)
    assert json.loads(path.read_text(encoding="utf-8")) == perfetto(kernel_lanes(long, first=8))
    assert sum(event["ph"] == "X" for event in json.loads(path.read_text(encoding="utf-8"))["traceEvents"]) > 16


@pytest.mark.parametrize(("first", "error"), [(0, InputError), (-1, InputError), (200_001, SimulationLimitError)])
def test_refused_before_anything_is_written(tmp_path: Path, first: int, error: type[Exception]) -> None:
    long = Program((Repeat(10**12, PROGRAM.body),), PROGRAM.stations, PROGRAM.ports, PROGRAM.locations)
    with pytest.raises(error):
        write_kernel_trace(tmp_path / "trace.json", long, first=first)
    assert not list(tmp_path.iterdir())
