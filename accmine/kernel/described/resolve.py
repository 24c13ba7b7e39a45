"""From an architecture and a kernel to a program with numbers: paths, cycles, ports and locations.

An instruction takes finish − start = latency of its unit + the longest of its transfers: of each port group that it
uses, the latency of the memory + Σ ⌈bytes / bandwidth⌉. It holds the unit for its interval, or to the finish, and each
port for Σ max(1, ⌈bytes / bandwidth⌉). Registers cost nothing. An update reads and writes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise

from accmine.errors import InputError
from accmine.files import Place
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop, Memory, Operand, Stage, Unit
from accmine.kernel.described.expression import MOST, Complaints, evaluate
from accmine.kernel.described.paths import paths
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step

__all__ = ["resolve"]

MOST_LOCATIONS = 1_000_000
"""Locations that the operands of a kernel name in all, after overlapping addresses were split."""


@dataclass
class _Resolver:
    """What is known while the body is walked, and what is used so far."""

    architecture: Architecture
    found: Complaints
    routes: Mapping[str, tuple[str, ...]]
    atoms: Mapping[str, list[int]]
    stations: dict[str, Station] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    locations: dict[str, Location] = field(default_factory=dict)
    filled: dict[tuple[str, str], int] = field(default_factory=dict)
    """Most bytes that one write puts into a buffer of a memory."""
    named: int = 0


def resolve(architecture: Architecture, kernel: Kernel) -> Program:
    """The program of a kernel on an architecture; only what the kernel uses is in it.

    Raises
    ------
    InputError
        With everything that is wrong in the architecture, else in the kernel; with places where they came from files.
    """
    routes = paths(architecture)
    found = Complaints(kernel.document)
    resolver = _Resolver(architecture, found, routes, _atoms(architecture, kernel.body))
    if not kernel.body:
        found.add(("body",), "has no instructions")
    body, count = _body(resolver, kernel.body)
    if count > MOST:
        found.add(("body",), f"issues {count} instructions; allowed: {MOST} (int64)")
    found.raise_any()
    for memory in architecture.memories.values():
        _check_fits(resolver, memory)
    found.raise_any()
    return Program(body, resolver.stations, resolver.ports, resolver.locations, kernel.name)


def _body(resolver: _Resolver, body: Iterable[Instruction | Loop]) -> tuple[tuple[Issue | Repeat, ...], int]:
    """Items with numbers, and how many instructions they issue."""
    items: list[Issue | Repeat] = []
    count = 0
    for item in body:
        if isinstance(item, Instruction):
            issue = _issue(resolver, item)
            items += [] if issue is None else [issue]
            count += 1
            continue
        place = (*item.place, "loop")
        inner, below = _body(resolver, item.body)
        count += below
        if isinstance(item.trips, bool) or not isinstance(item.trips, int) or item.trips < 1:
            resolver.found.add(place, f"must be a whole number of trips, at least 1, is {item.trips!r}")
        elif not item.body:
            resolver.found.add(item.place, "a loop without instructions")
        elif below <= MOST < below * item.trips:
            message = f"{item.trips} trips of {below} instructions are {below * item.trips}; allowed: {MOST} (int64)"
            resolver.found.add(place, message)
        else:
            items.append(Repeat(item.trips, inner, item.name))
            count += below * (item.trips - 1)
    return tuple(items), count


def _issue(resolver: _Resolver, instruction: Instruction) -> Issue | None:
    """An instruction with numbers; ``None`` after a complaint."""
    architecture, found = resolver.architecture, resolver.found
    place = instruction.place
    route = resolver.routes.get(instruction.mnemonic)
    if route is None:
        says = f"no unit executes {instruction.mnemonic!r}"
        found.unknown(place, says, instruction.mnemonic, resolver.routes, key=True)
        return None
    before = len(found.found)
    unit = architecture.units[route[-1]]
    names = _names(resolver, instruction)
    steps = tuple(
        Step(name, _cycles(resolver, instruction, architecture.stages[name], "latency", names)) for name in route[:-1]
    )
    for name in route:
        _use_station(resolver, name)
    reads, writes, updates = (
        tuple(
            name for operand, own in _operands(instruction, side) for name in _used(resolver, unit, operand, side, own)
        )
        for side in ("reads", "writes", "updates")
    )
    _check_twice(found, instruction, writes, updates)
    if len(found.found) > before:
        return None
    accesses, longest = _transfers(resolver, instruction)
    latency = _cycles(resolver, instruction, unit, "latency", names) + longest
    hold = latency if unit.interval is None else _cycles(resolver, instruction, unit, "interval", names)
    if hold > latency:
        found.add(place, f"the interval of {unit.name!r}, {hold}, is longer than its latency, {latency}", key=True)
    if latency > MOST:
        found.add(place, f"takes {latency} cycles; allowed: {MOST} (int64)", key=True)
    label = instruction.label or instruction.mnemonic
    return Issue(label, steps, unit.name, latency, hold, accesses, tuple(dict.fromkeys(reads)), writes, updates)


def _names(resolver: _Resolver, instruction: Instruction) -> dict[str, int]:
    """Numbers that expressions may name: parameters and the values of the instruction."""
    parameters = resolver.architecture.parameters
    for name in instruction.values:
        if name in parameters:
            message = "is a parameter of the architecture; call the value otherwise"
            resolver.found.add((*instruction.place, name), message, key=True)
    return {**parameters, **instruction.values}


def _cycles(resolver: _Resolver, instruction: Instruction, of: Stage | Unit, key: str, names: Mapping[str, int]) -> int:
    """The latency or interval of a stage or unit for an instruction."""
    value = getattr(of, key)
    try:
        number = evaluate(value, names)
    except InputError as error:
        own = sorted(instruction.values)
        message = f"{key} of {of.name!r}: {error.complaints[0].message}; values of the instruction: {own or 'none'}"
    else:
        if number >= 0:
            return number
        message = f"{key} of {of.name!r}: must be at least 0, {value!r} is {number}"
    if isinstance(value, int) or resolver.found.document is None:
        _complain_there(resolver, (*of.place, key), message)
    else:
        resolver.found.add(instruction.place, message, key=True)
    return 0


def _closed(resolver: _Resolver, value: int | str, place: Place, least: int) -> int:
    """A number of the architecture that no instruction changes."""
    if isinstance(value, int) and value >= least:
        return value
    there = Complaints(resolver.architecture.document)
    number = there.number(value, resolver.architecture.parameters, place, least)
    resolver.found.found |= there.found
    return number


def _complain_there(resolver: _Resolver, place: Place, message: str) -> None:
    """Complain about the architecture instead of the kernel."""
    there = Complaints(resolver.architecture.document)
    there.add(place, message)
    resolver.found.found |= there.found


def _use_station(resolver: _Resolver, name: str) -> None:
    if name in resolver.stations:
        return
    stage = resolver.architecture.stages.get(name)
    if stage is not None:
        interval = _closed(resolver, stage.interval, (*stage.place, "interval"), 0)
        resolver.stations[name] = Station(name, _closed(resolver, stage.slots, (*stage.place, "slots"), 1), interval)
    else:
        unit = resolver.architecture.units[name]
        resolver.stations[name] = Station(name, _closed(resolver, unit.slots, (*unit.place, "slots"), 1))


def _operands(instruction: Instruction, side: str) -> list[tuple[Operand, Place]]:
    operands: tuple[Operand, ...] = getattr(instruction, side)
    return [(operand, (*instruction.place, side, number)) for number, operand in enumerate(operands)]


def _used(resolver: _Resolver, unit: Unit, operand: Operand, side: str, own: Place) -> tuple[str, ...]:
    """Names of the locations of an operand, which exist afterwards; none after a complaint."""
    architecture, found = resolver.architecture, resolver.found
    file, memory = architecture.registers.get(operand.place), architecture.memories.get(operand.place)
    if file is None and memory is None:
        known = chain(architecture.registers, architecture.memories)
        found.unknown(own, f"there is no register file or memory {operand.place!r}", operand.place, known)
        return ()
    for key, names in (("reads", unit.reads), ("writes", unit.writes)):
        if side in (key, "updates") and operand.place not in names:
            found.unknown(own, f"{unit.name!r} does not {key[:-1]} {operand.place!r}", operand.place, names)
            return ()
    if not isinstance(operand.part, str):
        return _addressed(resolver, memory, operand, own)
    holder = memory if memory is not None else file
    assert holder is not None
    parts = holder.buffers if isinstance(holder, Memory) else holder.registers
    name = f"{operand.place}.{operand.part}"
    if operand.part not in parts:
        kind = "register" if memory is None else "buffer"
        found.unknown(own, f"{operand.place!r} has no {kind} {operand.part!r}", operand.part, parts)
        return ()
    if name not in resolver.locations:
        base = (*holder.place, "buffers") if memory is not None else holder.place
        resolver.locations[name] = Location(name, _closed(resolver, parts[operand.part], (*base, operand.part), 1))
    return (name,)


def _addressed(resolver: _Resolver, memory: Memory | None, operand: Operand, own: Place) -> tuple[str, ...]:
    """Atoms of a range of addresses: no two operands overlap in a part of one."""
    assert not isinstance(operand.part, str)
    first, behind = operand.part
    if memory is None:
        resolver.found.add(own, f"{operand.place!r} has registers, not addresses; write {operand.place}.NAME")
        return ()
    if not 0 <= first < behind:
        resolver.found.add(own, f"addresses are FIRST:BEHIND with 0 <= FIRST < BEHIND, got {first}:{behind}")
        return ()
    if memory.size_bytes is not None:
        size = _closed(resolver, memory.size_bytes, (*memory.place, "size"), 1)
        if behind > size:
            resolver.found.add(
                own, f"[{first}:{behind}] is outside of {memory.name!r}, which has addresses 0 to {size - 1}"
            )
            return ()
    cuts = resolver.atoms[memory.name]
    inside = cuts[bisect_left(cuts, first) : bisect_left(cuts, behind) + 1]
    resolver.named += len(inside)
    if resolver.named > MOST_LOCATIONS:
        message = f"ranges of addresses overlap in more than {MOST_LOCATIONS} pieces; name buffers instead"
        resolver.found.add(("body",), message)
        return ()
    atoms = tuple(f"{memory.name}[{low}:{high}]" for low, high in pairwise(inside))
    for atom in atoms:
        resolver.locations.setdefault(atom, Location(atom))
    return atoms


def _atoms(architecture: Architecture, body: Iterable[Instruction | Loop]) -> dict[str, list[int]]:
    """Of each memory the addresses at which a range of the kernel begins or ends, ascending."""
    cuts: dict[str, set[int]] = {name: set() for name in architecture.memories}
    for instruction in _instructions(body):
        for operand in (*instruction.reads, *instruction.writes, *instruction.updates):
            if operand.place in cuts and not isinstance(operand.part, str):
                cuts[operand.place].update(operand.part)
    return {name: sorted(found) for name, found in cuts.items()}


def _instructions(body: Iterable[Instruction | Loop]) -> Iterator[Instruction]:
    for item in body:
        if isinstance(item, Loop):
            yield from _instructions(item.body)
        else:
            yield item


def _check_fits(resolver: _Resolver, memory: Memory) -> None:
    """Whether what is written into the buffers of a memory has room in all their slots at once."""
    if memory.size_bytes is None:
        return
    size = _closed(resolver, memory.size_bytes, (*memory.place, "size"), 1)
    parts = {
        part: (resolver.locations[f"{at}.{part}"].slots, most)
        for (at, part), most in resolver.filled.items()
        if at == memory.name
    }
    if (needed := sum(slots * most for slots, most in parts.values())) > size:
        what = ", ".join(f"{part} {slots} x {most}" for part, (slots, most) in parts.items())
        message = f"{size} bytes hold no buffers of {needed}, as the kernel writes them: {what}"
        _complain_there(resolver, (*memory.place, "size"), message)


def _check_twice(
    found: Complaints, instruction: Instruction, writes: tuple[str, ...], updates: tuple[str, ...]
) -> None:
    changed = Counter((*writes, *updates))
    twice = next((name for name, times in changed.items() if times > 1), None)
    if twice is not None:
        message = f"{instruction.mnemonic!r} changes {twice} twice; it may stand once in writes and updates"
        found.add(instruction.place, message, key=True)


def _transfers(resolver: _Resolver, instruction: Instruction) -> tuple[tuple[Access, ...], int]:
    """What each port group is held for, and the cycles of the longest transfer."""
    holds: dict[str, int] = {}
    cycles: dict[str, int] = {}
    waits: dict[str, int] = {}
    for side in ("reads", "updates", "writes"):
        for operand, own in _operands(instruction, side):
            memory = resolver.architecture.memories.get(operand.place)
            if memory is None:
                continue
            if operand.size_bytes < 0:
                resolver.found.add(own, f"transfers {operand.size_bytes} bytes; allowed: 0 and more")
            if side == "writes" and isinstance(operand.part, str):
                part = (operand.place, operand.part)
                resolver.filled[part] = max(operand.size_bytes, resolver.filled.get(part, 0))
            bandwidth = _closed(resolver, memory.bandwidth, (*memory.place, "bandwidth"), 1)
            took = -(-operand.size_bytes // bandwidth)
            for way in ("read", "write") if side == "updates" else (side[:-1],):
                group = _port(resolver, memory, way)
                wait = getattr(memory, f"{way}_latency")
                waits[group] = max(waits.get(group, 0), _closed(resolver, wait, (*memory.place, f"{way}_latency"), 1))
                holds[group] = holds.get(group, 0) + max(1, took)
                cycles[group] = cycles.get(group, 0) + took
    longest = max((waits[group] + cycles[group] for group in holds), default=0)
    return tuple(Access(group, hold) for group, hold in holds.items()), longest


def _port(resolver: _Resolver, memory: Memory, way: str) -> str:
    """Name of the port group that serves reads or writes of a memory; it exists afterwards."""
    shared = memory.read_ports is None or memory.write_ports is None
    name = memory.name if shared else f"{memory.name}.{way}"
    if name not in resolver.ports:
        key = "ports" if shared else f"{way}_ports"
        count = getattr(memory, key)
        resolver.ports[name] = Port(name, _closed(resolver, 1 if count is None else count, (*memory.place, key), 1))
    return name
