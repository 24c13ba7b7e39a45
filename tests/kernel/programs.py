"""Random kernel programs for the tests of this folder: small, and with every rule of the semantics in play."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step

__all__ = ["Machine", "random_machine", "random_program", "unrolled"]

KERNELS_PER_MACHINE = 25


@dataclass(frozen=True)
class Machine:
    """Stations before the units, units, and the paths to them; ports and locations by name."""

    stations: dict[str, Station]
    paths: dict[str, tuple[str, ...]]
    """Unit to the names of the stations before it."""
    ports: dict[str, Port]
    locations: dict[str, Location]


def random_machine(seed: int) -> Machine:
    """An architecture: paths that share prefixes and merge again, one fetch mostly, sometimes several or none."""
    rng = random.Random(f"machine {seed}")
    stages = [f"s{i}" for i in range(rng.randint(0, 6))]
    units = [f"u{i}" for i in range(rng.randint(1, 5))]
    stations = {name: Station(name, rng.randint(1, 5), rng.randint(0, 3)) for name in stages}
    stations |= {name: Station(name, rng.randint(1, 5), rng.choice((0, 0, 0, 1, 2, 3))) for name in units}
    shape = rng.choice(("shared fetch", "shared fetch", "merging", "any order"))
    paths: dict[str, tuple[str, ...]] = {}
    for unit in units:
        some = rng.sample(stages, rng.randint(0, len(stages)))
        if shape == "any order":
            paths[unit] = tuple(some)
        else:  # in the order of the names, so that the stations are a network without circles
            shared = set(stages[: (len(stages) + 1) // 2 if shape == "shared fetch" else 0])
            paths[unit] = tuple(name for name in stages if name in shared or name in some)
    ports = {f"p{i}": Port(f"p{i}", rng.randint(1, 3)) for i in range(rng.randint(0, 4))}
    locations = {f"x{i}": Location(f"x{i}", rng.randint(1, 3)) for i in range(rng.randint(0, 6))}
    return Machine(stations, paths, ports, locations)


def random_program(
    seed: int, *, machine: int | None = None, depth: int = 3, most: int = 300, trips: int = 12
) -> Program:
    """A kernel on the architecture of number ``machine``; default: 25 seeds in a row share one.

    Parameters
    ----------
    depth
        Loops within one another at most; 0 for a body without loops.
    most
        Instructions issued in all, at most.
    trips
        Most trips of a loop.
    """
    on = random_machine(seed // KERNELS_PER_MACHINE if machine is None else machine)
    rng = random.Random(f"program {seed} {machine}")
    kinds = [_kind(rng, on, f"i{i}") for i in range(rng.randint(1, 8))]
    body = _body(rng, on, kinds, depth, most, trips)
    return Program(body, on.stations, on.ports, on.locations, f"random {seed}")


def _kind(rng: random.Random, on: Machine, label: str) -> Issue:
    """An instruction as decoded: station latencies, unit, latency, hold, and ports are those of its mnemonic."""
    unit = rng.choice(sorted(on.paths))
    latency = rng.choice((0, 1, 1, 2, 3, rng.randint(0, 9)))
    hold = rng.choice((latency, latency, rng.randint(0, latency), latency + rng.randint(0, 4)))
    ports = rng.sample(sorted(on.ports), rng.randint(0, min(3, len(on.ports))))
    return Issue(
        label,
        tuple(Step(name, rng.choice((0, 0, 1, 1, 2, rng.randint(0, 9)))) for name in on.paths[unit]),
        unit,
        latency,
        hold,
        tuple(Access(name, rng.randint(0, 5)) for name in ports),
    )


def _with_operands(rng: random.Random, on: Machine, kind: Issue) -> Issue:
    names = sorted(on.locations)
    changed = rng.sample(names, rng.randint(0, min(3, len(names))))
    cut = rng.randint(0, len(changed))
    reads = rng.sample(names, rng.randint(0, min(3, len(names))))  # may name what it writes or updates as well
    return Issue(
        kind.label,
        kind.steps,
        kind.unit,
        kind.latency,
        kind.hold,
        kind.accesses,
        tuple(reads),
        tuple(changed[:cut]),
        tuple(changed[cut:]),
    )


def _body(
    rng: random.Random, on: Machine, kinds: list[Issue], depth: int, most: int, trips: int
) -> tuple[Issue | Repeat, ...]:
    """At least one item, at most ``most`` instructions issued, loops between instructions (prologue, epilogue)."""
    items: list[Issue | Repeat] = []
    left = most
    for _ in range(rng.randint(1, 5)):
        if depth and left >= 2 and rng.random() < (0.7 if not items else 0.35):
            count = rng.randint(1, min(trips, left))
            inner = _body(rng, on, kinds, depth - 1, left // count, trips)
            items.append(Repeat(count, inner, f"l{depth}"))
            left -= count * Program(inner, {}).instructions
        elif left:
            items.append(_with_operands(rng, on, rng.choice(kinds)))
            left -= 1
    return tuple(items)


def unrolled(program: Program) -> list[Issue]:
    """Every instruction issued, in program order."""
    return list(_unroll(program.body))


def _unroll(body: tuple[Issue | Repeat, ...]) -> Iterator[Issue]:
    for item in body:
        if isinstance(item, Repeat):
            for _ in range(item.trips):
                yield from _unroll(item.body)
        else:
            yield item
