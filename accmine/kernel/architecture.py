"""Described architectures and kernels as data: what a file says, before anything is timed.

The words are those of ACADL (arXiv 2402.00069): stages forward instructions, execute stages contain functional units,
units read and write register files and memories. What came from a file knows its ``place`` in the ``document``, for
complaints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from accmine.files import Document, Place
from accmine.kernel.described.product import ProductRule

__all__ = ["Architecture", "Instruction", "Kernel", "Loop", "Memory", "Operand", "RegisterFile", "Stage", "Unit"]

Number = int | str
"""A whole number, or an expression over parameters of the architecture and values of the instruction."""


@dataclass(frozen=True)
class Stage:
    """A fetch, pipeline or execute stage.

    Attributes
    ----------
    kind
        ``fetch``, ``stage`` or ``execute``.
    latency
        Cycles; an expression.
    interval
        Least cycles between two instructions that enter.
    slots
        Instructions it holds: the issue buffer of a fetch stage, the queue of a stage.
    to
        Names of the stages that it forwards to or of the units that it contains.
    """

    name: str
    kind: str
    latency: Number = 1
    interval: Number = 1
    slots: Number = 1
    to: tuple[str, ...] = ()
    place: Place = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Unit:
    """A functional or memory access unit.

    Attributes
    ----------
    mnemonics
        What it executes.
    latency
        Cycles from start to finish without accesses to memories; an expression.
    interval
        Cycles after which a pipelined unit takes the next; ``None``: it is held to the finish.
    slots
        Instructions it holds at once, in turn.
    reads, writes
        Names of register files and memories.
    """

    name: str
    mnemonics: tuple[str, ...]
    latency: Number = 1
    interval: Number | None = None
    slots: Number = 1
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    place: Place = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class RegisterFile:
    """Registers by name, with their slots (1 unless renamed in turn)."""

    name: str
    registers: Mapping[str, Number]
    place: Place = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Memory:
    """A memory with ports.

    Attributes
    ----------
    size_bytes
        Addresses are 0 … size − 1, and all slots of the buffers have room for what is written; ``None``: any.
    read_latency, write_latency
        Cycles, at least 1.
    bandwidth
        Bytes per cycle and port.
    ports
        Ports that serve both; or ``read_ports`` and ``write_ports`` apart.
    buffers
        Named parts and their slots; a transfer holds its port for ⌈bytes / bandwidth⌉ cycles.
    """

    name: str
    bandwidth: Number
    size_bytes: Number | None = None
    read_latency: Number = 1
    write_latency: Number = 1
    ports: Number | None = None
    read_ports: Number | None = None
    write_ports: Number | None = None
    buffers: Mapping[str, Number] = field(default_factory=dict)
    place: Place = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Architecture:
    """Everything by name; one name for one thing.

    Attributes
    ----------
    frequency_hz
        Clock; ``None``: cycles only.
    abstracts
        What the description leaves out, for people.
    product
        How products run on it; ``None``: only kernels that are written out.
    """

    name: str
    parameters: Mapping[str, int]
    stages: Mapping[str, Stage]
    units: Mapping[str, Unit]
    registers: Mapping[str, RegisterFile] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    frequency_hz: float | None = None
    description: str = ""
    abstracts: str = ""
    sources: tuple[str, ...] = ()
    product: ProductRule | None = None
    document: Document | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Operand:
    """A register, a buffer, or addresses of a memory.

    Attributes
    ----------
    place
        Name of the register file or memory.
    part
        Name of the register or buffer; or (first, behind last) address.
    size_bytes
        What is transferred; 0 for registers.
    """

    place: str
    part: str | tuple[int, int]
    size_bytes: int = 0


@dataclass(frozen=True)
class Instruction:
    """What is executed: ``values`` are its immediates, which expressions of latencies may name.

    ``label`` is what people call it; default: the mnemonic.
    """

    mnemonic: str
    reads: tuple[Operand, ...] = ()
    writes: tuple[Operand, ...] = ()
    updates: tuple[Operand, ...] = ()
    values: Mapping[str, int] = field(default_factory=dict)
    label: str = ""
    place: Place = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Loop:
    """``trips`` ≥ 1 times the body."""

    trips: int
    body: tuple[Instruction | Loop, ...]
    name: str = ""
    place: Place = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Kernel:
    """A loop nest for an architecture."""

    name: str
    body: tuple[Instruction | Loop, ...]
    document: Document | None = field(default=None, compare=False, repr=False)
