"""Seconds for the exact cycles of 4.19 · 10⁹ instructions, by number of live states (target: below 1 s up to 200).

A kernel of seven instructions per iteration on random queues, ports and buffers; the number of states grows with the
slots of its buffers. Cycles are compared with those of stepping through as many iterations as that takes a second.

    python benchmarks/kernel.py [--instructions 4190000000] [--slots 1 8 24 40] [--seed 0] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

from accmine.kernel.analysis import inner_loops, rate
from accmine.kernel.latency import latency, symbolic
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from accmine.kernel.recurrence import run

__all__ = ["Row", "kernel", "measure"]

_STEPPED = 2_000
"""Iterations that are stepped through as well."""


@dataclass(frozen=True)
class Row:
    """One kernel.

    Attributes
    ----------
    states
        Times that an iteration hands on.
    seconds
        From the program to its cycles.
    rate
        Cycles per iteration in the long run.
    checked
        Iterations for which stepping through gave the same cycles.
    """

    instructions: int
    states: int
    cycles: int
    seconds: float
    rate: str
    checked: int


def kernel(instructions: int, slots: int, seed: int = 0) -> Program:
    """Loads, products, a vector operation and a store that hand on buffers of so many slots, seven per iteration."""
    rng = random.Random(seed)
    names = ("load_a", "load_b", "matmul", "add", "matmul_2", "scale", "store")
    units = {"load_a": "dma", "load_b": "dma", "matmul": "array", "matmul_2": "array", "add": "vector"}
    units |= {"scale": "vector", "store": "writer"}
    reads = {"matmul": ("a", "b"), "add": ("c",), "matmul_2": ("a", "d"), "scale": ("e",), "store": ("f",)}
    writes = dict(zip(names, ("a", "b", "c", "d", "e", "f", ""), strict=True))
    body = []
    for name in names:
        cycles = rng.randint(3, 40)
        path = (Step("fetch", 1), Step(f"{units[name]}_queue"))
        port = (Access("dram", rng.randint(1, cycles)),) if units[name] in ("dma", "writer") else ()
        target = (writes[name],) if writes[name] else ()
        hold = rng.randint(1, cycles)
        body.append(Issue(name, path, units[name], cycles, hold, port, reads.get(name, ()), target))
    stations = [Station("fetch", 4, 1)]
    for unit in sorted(set(units.values())):
        stations += [Station(f"{unit}_queue", max(2, slots // 4)), Station(unit)]
    return Program(
        (Repeat(max(1, instructions // len(body)), tuple(body), "i"),),
        {station.name: station for station in stations},
        {"dram": Port("dram")},
        {name: Location(name, slots) for name in "abcdef"},
        f"seven with {slots} slots",
    )


def measure(program: Program) -> Row:
    """Time one program, and step through its first iterations.

    Raises
    ------
    AssertionError
        If stepping through gives other cycles.
    """
    began = perf_counter()
    cycles = latency(program)
    seconds = perf_counter() - began
    (_, iterations, loop), *_ = inner_loops(program.body)
    first = min(_STEPPED, iterations)
    short = replace(program, body=(replace(loop, trips=first),))
    assert run(short).latency == latency(short), "stepping through takes other cycles"
    ratio, _ = rate(program, loop)
    return Row(program.instructions, len(symbolic(program).cells), cycles, seconds, str(ratio), first)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line per number of slots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instructions", type=int, default=4_190_000_000)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 8, 24, 40])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    rows = []
    latency(kernel(1_000_000, 1, given.seed))  # what is imported or compiled once
    for slots in given.slots:
        rows.append(row := measure(kernel(given.instructions, slots, given.seed)))
        said = (
            f"{row.instructions:,} instructions, {row.states} states: {row.cycles:,} cycles in {row.seconds:.3f} s, "
            f"{row.rate} cycles per iteration, {row.checked:,} iterations checked\n"
        )
        sys.stdout.write(said)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
