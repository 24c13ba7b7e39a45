"""What of a loop body may have another count, what one of it is made of, and the words that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from accmine.errors import InputError
from accmine.files import did_you_mean, parse_quantity
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop
from accmine.kernel.described.expression import evaluate
from accmine.kernel.program import Issue, Program
from accmine.problems.kernel_sizing import One

__all__ = ["ENTRY_BYTES", "MOST_COUNTS", "REGISTER_BYTES", "Resource", "free_of", "resources_of", "target_of"]

ENTRY_BYTES = 16
"""Of a slot of a stage, where nothing else is said: an instruction is two operands of 64 bits, as of RoCC."""

REGISTER_BYTES = 4
"""Of a copy of a register, where nothing else is said: an fp32 number."""

MOST_COUNTS = 1024
"""Counts of all resources together: more take minutes."""

_LARGEST_SIZE = 1 << 40
_COUNTS = re.compile(r"(\d{1,7})(?:\.\.(\d{1,7}))?\Z")
_MACS = re.compile(r"(\d{1,13})\s*macs?\Z")
_PERCENT = re.compile(r"([+-]?\d{1,9}(?:\.\d{1,9})?)\s*%\Z")
_RATE = re.compile(r"(\d{1,18})(?:\.(\d{1,9})|/(\d{1,18}))?\Z")


@dataclass(frozen=True)
class Resource:
    """Something of a loop body whose count may be free.

    Attributes
    ----------
    what
        ``station``, ``port`` or ``location``.
    kind
        In the words of descriptions: ``stage``, ``unit``, ``register``, ``buffer`` or ``port``.
    count
        That stands in the description.
    one
        What one is made of, with the counts that may be chosen; ``None``: nobody says.
    taken
        Whether the size is this module's, not the description's or the user's.
    by_default
        Whether its count is free where nobody names one.
    """

    what: str
    name: str
    kind: str
    count: int
    one: One | None
    taken: bool = False
    by_default: bool = True

    @property
    def made_of(self) -> str:
        """One of it, in words."""
        if self.one is None:
            return "not known"
        one = self.one
        parts = ((one.bytes, "B"), (one.macs, "macs"), (one.bytes_per_cycle, "B/cycle"))
        said = ", ".join(f"{value:,} {unit}" for value, unit in parts if value)
        return f"{said} (taken)" if self.taken else said


def resources_of(machine: Architecture, kernel: Kernel, flat: Program, sizes: Sequence[str]) -> dict[str, Resource]:
    """Everything of a loop body that has a count, by name; addresses of memories have none.

    A copy of a buffer is as large as the largest transfer of the kernel to or from it.

    Parameters
    ----------
    sizes
        ``NAME=SIZE`` each, in the place of what is known or taken.

    Raises
    ------
    InputError
        For a size that is none, or of something that is not there.
    """
    transfers = _transfers(kernel)
    written = {name for own in flat.body if isinstance(own, Issue) for name in own.writes}
    found: dict[str, Resource] = {}
    for name, port in flat.ports.items():
        memory = machine.memories[name if name in machine.memories else name.rpartition(".")[0]]
        wide = One((), bytes_per_cycle=evaluate(memory.bandwidth, machine.parameters))
        found[name] = Resource("port", name, "port", port.count, wide, by_default=False)
    for name, station in flat.stations.items():
        if name in machine.units:
            found[name] = Resource("station", name, "unit", station.slots, None)
        else:
            found[name] = Resource("station", name, "stage", station.slots, One((), bytes=ENTRY_BYTES), taken=True)
    for name, location in flat.locations.items():
        if name in transfers:
            kind = "buffer" if name.partition(".")[0] in machine.memories else "register"
            one, taken = One((), bytes=transfers[name] or REGISTER_BYTES), not transfers[name]
            found[name] = Resource("location", name, kind, location.slots, one, taken, name in written)
    said_of: set[str] = set()
    for word in sizes:
        name, said = _size(word)
        own = _named(found, name, f"--size {word}")
        if name in said_of:
            raise InputError(f"{name!r} is there twice", field=f"--size {word}")
        said_of.add(name)
        if own.what == "port":
            raise InputError("a port is as wide as the bandwidth of its memory says", field=f"--size {word}")
        found[name] = replace(own, one=said, taken=False)
    return found


def _transfers(kernel: Kernel) -> dict[str, int]:
    """Bytes of the largest transfer of each register and buffer by name."""
    found: dict[str, int] = {}
    for own in _instructions(kernel.body):
        for operand in (*own.reads, *own.writes, *own.updates):
            if isinstance(operand.part, str):
                name = f"{operand.place}.{operand.part}"
                found[name] = max(found.get(name, 0), operand.size_bytes)
    return found


def _instructions(body: Sequence[Instruction | Loop]) -> Iterator[Instruction]:
    for item in body:
        if isinstance(item, Loop):
            yield from _instructions(item.body)
        else:
            yield item


def _named(known: Mapping[str, Resource], name: str, field: str) -> Resource:
    if name not in known:
        raise InputError(
            f"{name!r} is nothing that the loop uses and that has a count; {did_you_mean(name, known)}"
            f"allowed: {', '.join(known)}",
            field=field,
        )
    return known[name]


def free_of(known: Mapping[str, Resource], named: Sequence[str]) -> tuple[list[Resource], list[Resource]]:
    """(what is free with its counts, what would be free by default if its size were known).

    Parameters
    ----------
    named
        ``NAME`` or ``NAME=COUNTS`` each, as ``spad.A=1..4`` or ``spad.A=1,2,4``; none: all by default, from 1 to twice
        what stands.

    Raises
    ------
    InputError
        For what is not there, counts that are none, and a unit of which nobody says the size.
    """
    chosen: dict[str, tuple[int, ...] | None] = {}
    for word in named:
        name, equals, text = word.partition("=")
        own = _named(known, name, f"--free {word}")
        if own.one is None:
            message = f"nobody says what one {name} is; add --size {name}='256 macs', or bytes"
            raise InputError(message, field=f"--free {word}")
        if name in chosen:
            raise InputError(f"{name!r} is there twice", field=f"--free {word}")
        chosen[name] = _counts(text, f"--free {word}") if equals else None
    wanted = [own for own in known.values() if (own.name in chosen if named else own.by_default)]
    free, left = [], []
    for own in wanted:
        if own.one is None:
            left.append(own)
        else:
            counts = chosen.get(own.name) or tuple(range(1, 2 * min(own.count, MOST_COUNTS) + 1))
            free.append(replace(own, one=replace(own.one, counts=counts)))
    total = sum(len(own.one.counts) for own in free if own.one is not None)
    if total > MOST_COUNTS:
        raise InputError(f"{total} counts in all, at most {MOST_COUNTS} are tried; name fewer", field="--free")
    if not free:
        raise InputError("the loop uses nothing whose count is free", field="--free")
    return free, left


def _counts(text: str, field: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        match = _COUNTS.match(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last or last - first >= MOST_COUNTS:
            raise InputError(f"{text!r:.60} must be counts of at least 1, for example 1..4 or 1,2,4", field=field)
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def _size(word: str) -> tuple[str, One]:
    """``NAME=4 KiB`` or ``NAME=256 macs``."""
    field = f"--size {word}"
    name, equals, text = word.partition("=")
    match = _MACS.match(text.strip())
    if not name or not equals:
        raise InputError("must be a name and a size, for example spad.A='4 KiB' or array='256 macs'", field=field)
    if match is not None:
        return name, One((), macs=int(match[1]))
    try:
        size = parse_quantity(text, "bytes")
    except InputError as error:
        raise InputError(f"{error.complaints[0].message}; or multiply-accumulates: 256 macs", field=field) from None
    if size != int(size) or size > _LARGEST_SIZE:
        raise InputError(f"{text!r:.60} must be whole bytes, at most 1 TiB", field=field)
    return name, One((), bytes=int(size))


def target_of(text: str, now: Fraction) -> Fraction:
    """Cycles per iteration: ``82``, ``65/2``, ``32.5``, or what is so much faster than now: ``10%``.

    ``10%`` is 10 % more iterations per cycle; ``0%`` keeps the rate, below 0 is slower.

    Raises
    ------
    InputError
        If it is none of these, not above 0, or a share of a rate of 0.
    """
    share, number = _PERCENT.match(text.strip()), _RATE.match(text.strip())
    if share is not None:
        if not now:
            raise InputError("no cycle limits the loop, so that nothing can be faster by a share", field="--target")
        factor = 1 + Fraction(share[1]) / 100
        found = now / factor if factor > 0 else Fraction(0)
    elif number is not None and int(number[3] or 1):
        found = Fraction(text.strip())
    else:
        raise InputError(
            f"{text!r:.60} must be cycles per iteration, for example 82 or 65/2, or how much faster, for example 10%",
            field="--target",
        )
    if found <= 0:
        raise InputError(f"{text!r:.60} is not allowed; more than 0 cycles per iteration are needed", field="--target")
    return found
