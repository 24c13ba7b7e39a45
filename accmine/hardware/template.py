"""Template: the tunable accelerator, with the allowed values of every tunable.

A template is written as a mapping — the ``accelerator:`` section of a study, or a file of the catalogue. Values are
a number, a quantity with unit (``32 GiB``), a range (``1..64`` is every integer, ``16..256 x2`` doubles from 16 to
256), or a list of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document, did_you_mean, load_yaml, resolve
from accmine.hardware.calibration import UNCALIBRATED, Calibration
from accmine.hardware.calibration_file import read_calibration
from accmine.hardware.design import Design
from accmine.hardware.facts import FACTS, Facts, facts_of
from accmine.hardware.precision import Rates
from accmine.hardware.tunables import FIELDS, KEYS, NOTES, OPTIONAL, PLAIN_HBM, STACKS, checked, parse

__all__ = [
    "KEYS",
    "NOTES",
    "Template",
    "open_keys",
    "read_accelerator",
    "template_from_mapping",
    "template_of",
]


@dataclass(frozen=True, slots=True)
class Template:
    """Allowed values of every tunable, ascending and without duplicates.

    Designs are all combinations. Sizes are in bytes, bandwidth in bytes/s, frequency in Hz.

    Raises
    ------
    InputError
        For an empty list, a value below its minimum, an unknown dataflow, or a shared SRAM without the
        bandwidth of a port to it.

    ``hbm_stack`` is the capacity and bandwidth of an HBM stack where designs have whole stacks: then bandwidth goes
    with capacity. ``calibration`` and the rates by type are those of every design.
    """

    tensor_cores: tuple[int, ...]
    tensor_rows: tuple[int, ...]
    tensor_cols: tuple[int, ...]
    dataflow: tuple[str, ...]
    tensor_sram_bytes: tuple[int, ...]
    vector_cores: tuple[int, ...]
    vector_lanes: tuple[int, ...]
    vector_ops_per_lane: tuple[int, ...]
    vector_sram_bytes: tuple[int, ...]
    shared_sram_bytes: tuple[int, ...]
    hbm_bytes: tuple[int, ...]
    hbm_bytes_per_s: tuple[int, ...]
    frequency_hz: tuple[int, ...]
    port_bytes_per_s: tuple[int, ...] = (0,)
    hbm_stack: tuple[int, int] | None = None
    calibration: Calibration = UNCALIBRATED
    tensor_rates: Rates = ()
    vector_rates: Rates = ()

    def __post_init__(self) -> None:
        """Check and normalise the values."""
        complaints = []
        if self.hbm_stack is not None:
            rates = tuple(self.stack_rate(capacity) for capacity in self.hbm_bytes)
            object.__setattr__(self, "hbm_bytes_per_s", rates)
        for name, key in FIELDS.items():
            values = getattr(self, key.attribute)
            try:
                object.__setattr__(self, key.attribute, checked(name, key, values))
            except InputError as error:
                complaints += [Complaint("", name, item.message) for item in error.complaints]
        if not complaints:
            complaints += self._port_complaints()
        if complaints:
            raise InputError(complaints)

    def _port_complaints(self) -> list[Complaint]:
        """A shared SRAM and the cores' ports to it come together."""
        shared, port = max(self.shared_sram_bytes) > 0, max(self.port_bytes_per_s) > 0
        if shared and min(self.port_bytes_per_s) < 1:
            message = "a shared SRAM needs the bandwidth of a core's port to it, such as 256 GB/s"
            return [Complaint("", "port_bandwidth", message)]
        if port and not shared:
            return [Complaint("", "port_bandwidth", "is the bandwidth to the shared SRAM; give shared_sram as well")]
        return []

    def stack_rate(self, capacity: int) -> int:
        """Bandwidth of as many whole stacks as hold ``capacity``, in bytes/s; 0 where designs have no stacks."""
        if self.hbm_stack is None:
            return 0
        size, rate = self.hbm_stack
        return -(-capacity // size) * rate

    @property
    def memories(self) -> tuple[tuple[int, int], ...]:
        """Capacity and bandwidth of the HBM: all pairs, or one pair for each number of stacks; bytes and bytes/s."""
        if self.hbm_stack is None:
            return tuple(product(self.hbm_bytes, self.hbm_bytes_per_s))
        return tuple((capacity, self.stack_rate(capacity)) for capacity in self.hbm_bytes)

    @property
    def shared_memories(self) -> tuple[tuple[int, int], ...]:
        """Shared SRAM and the bandwidth of a core's port to it, which nothing has without one; bytes and bytes/s."""
        pairs = product(self.shared_sram_bytes, self.port_bytes_per_s)
        return tuple(dict.fromkeys((size, port if size else 0) for size, port in pairs))

    @property
    def size(self) -> int:
        """Number of designs."""
        own = {"hbm_bytes", "hbm_bytes_per_s", "shared_sram_bytes", "port_bytes_per_s"}
        tunables = {key.attribute for key in FIELDS.values()} - own
        other = prod(len(getattr(self, item.name)) for item in fields(self) if item.name in tunables)
        return other * len(self.memories) * len(self.shared_memories)

    def contains(self, design: Design) -> bool:
        """Whether every tunable of ``design`` has an allowed value."""
        tensor, vector = design.tensor, design.vector
        return (
            design.tensor_cores in self.tensor_cores
            and tensor.rows in self.tensor_rows
            and tensor.cols in self.tensor_cols
            and tensor.dataflow in self.dataflow
            and tensor.sram_bytes in self.tensor_sram_bytes
            and design.vector_cores in self.vector_cores
            and vector.lanes in self.vector_lanes
            and vector.ops_per_lane in self.vector_ops_per_lane
            and vector.sram_bytes in self.vector_sram_bytes
            and (design.shared_sram_bytes, design.port_bytes_per_s) in self.shared_memories
            and (design.hbm_bytes, design.hbm_bytes_per_s) in self.memories
            and design.frequency_hz in self.frequency_hz
            and design.calibration == self.calibration
            and (tensor.rates, vector.rates) == (self.tensor_rates, self.vector_rates)
        )


def _keys_in(mapping: Mapping[str, Any], allowed: tuple[str, ...]) -> list[tuple[str, str]]:
    """(key, complaint) of unknown keys and of contradictions."""
    wrong = [
        (str(key), f"unknown key; {did_you_mean(str(key), allowed)}allowed: {', '.join(allowed)}")
        for key in mapping
        if key not in allowed
    ]
    if "tensor_dim" in mapping and ("tensor_rows" in mapping or "tensor_cols" in mapping):
        wrong.append(("tensor_dim", "gives rows and columns; leave it out, or tensor_rows and tensor_cols"))
    stacked = [key for key in STACKS if key in mapping]
    if stacked:
        message = f"{stacked[0]} gives capacity and bandwidth; leave one of them out"
        wrong += [(key, message) for key in PLAIN_HBM if key in mapping]
    return wrong


def _override(values: dict[str, tuple[Any, ...]], mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Put the parsed values of ``mapping`` over ``values``; (key, complaint) of those that are wrong."""
    wrong = []
    for replaced, by in ((PLAIN_HBM, STACKS), (STACKS, PLAIN_HBM)):
        if any(key in mapping for key in by):
            for key in replaced:
                values.pop(key, None)
    for key, value in mapping.items():
        if key not in FIELDS and key not in STACKS and key != "tensor_dim":
            continue
        try:
            parsed = parse(key, value)
        except InputError as error:
            wrong += [(key, item.message) for item in error.complaints]
            continue
        for name in ("tensor_rows", "tensor_cols") if key == "tensor_dim" else (key,):
            values[name] = parsed
    return wrong


def _template(values: Mapping[str, tuple[Any, ...]], calibration: Calibration, document: Document | None) -> Template:
    stack: tuple[int, int] | None = None
    if "hbm_stacks" in values:
        (size,), (rate,) = values["hbm_stack"], values["hbm_stack_bandwidth"]
        stack = (size, rate)
        values = {**values, "hbm": tuple(n * size for n in values["hbm_stacks"]), "hbm_bandwidth": (rate,)}
    fields_ = {key.attribute: values[name] for name, key in FIELDS.items()}
    facts = Facts() if document is None else facts_of(document)
    rates = facts.tensor_rates, facts.vector_rates
    return Template(**fields_, hbm_stack=stack, calibration=calibration, tensor_rates=rates[0], vector_rates=rates[1])


def _missing(values: Mapping[str, Any]) -> str:
    stacked = any(name in values for name in STACKS)
    needed = [name for name in FIELDS if not (stacked and name in PLAIN_HBM)] + (list(STACKS) if stacked else [])
    names = [name for name in needed if name not in values]
    return f"missing: {', '.join(names)} (or 'use: wham' for the shipped defaults)" if names else ""


def template_from_mapping(
    mapping: Mapping[str, Any],
    where: str = "",
    *,
    relative_to: Path | None = None,
    document: Document | None = None,
) -> Template:
    """A template from the ``accelerator:`` section of a study.

    Parameters
    ----------
    mapping
        Keys of ``KEYS``. ``use`` names a shipped accelerator or a file (a template or a design), whose
        values the other keys override; without it every tunable has to be given.
    where
        Prefix of field names in messages, e.g. ``accelerator``.
    relative_to
        Folder in which a relative file of ``use`` is looked up; default: the current one.
    document
        What ``use`` names, where it was read already.

    Raises
    ------
    InputError
        Every complaint at once: unknown keys, wrong units, empty ranges, a range over something that
        no term of the time model depends on.
    """
    wrong = _keys_in(mapping, KEYS)
    values: dict[str, tuple[Any, ...]] = {name: parse(name, value) for name, value in OPTIONAL.items()}
    calibration = Calibration()
    if "use" in mapping:
        document = document or read_accelerator(mapping["use"], relative_to)
        values, calibration = _file_values(document), read_calibration(document)
    wrong += _override(values, mapping)
    wrong += _several_stacks(values)
    if not wrong and (missing := _missing(values)):
        wrong.append(("", missing))
    prefix = [where] if where else []
    if wrong:
        raise InputError([Complaint("", ".".join([*prefix, *([key] if key else [])]), text) for key, text in wrong])
    try:
        return _template(values, calibration, document)
    except InputError as error:
        raise InputError(
            [c if c.where else Complaint("", ".".join([*prefix, c.field]), c.message) for c in error.complaints]
        ) from None


def _several_stacks(values: Mapping[str, tuple[Any, ...]]) -> list[tuple[str, str]]:
    """A design space has one kind of stack."""
    names = ("hbm_stack", "hbm_stack_bandwidth")
    message = "needs one value: designs differ in the number of stacks"
    return [(name, message) for name in names if len(values.get(name, (0,))) > 1]


def read_accelerator(name_or_path: str | Path, relative_to: Path | None = None) -> Document:
    """The file of a shipped accelerator or of a user's own, not yet checked.

    Raises
    ------
    InputError
        If there is none, or it is not YAML.
    """
    if not isinstance(name_or_path, (str, Path)):
        raise InputError(f"must be the name of an accelerator or a file, got {name_or_path!r}", field="use")
    return load_yaml(resolve("accelerators", name_or_path, relative_to))


def _file_values(document: Document) -> dict[str, tuple[Any, ...]]:
    """Checked values of every tunable of a file, complaints with their place."""
    data = document.data
    if not isinstance(data, Mapping):
        raise InputError(f"must be a mapping of {', '.join(KEYS[1:])}", where=document.name)
    values = {name: parse(name, value) for name, value in OPTIONAL.items()}
    wrong = (
        _keys_in(data, (*NOTES, *FACTS, *KEYS[1:], "calibration")) + _override(values, data) + _several_stacks(values)
    )
    if not wrong and (missing := _missing(values)):
        wrong.append(("", missing))
    if wrong:
        raise InputError([Complaint(document.locate((key,) if key else ()), key, text) for key, text in wrong])
    return values


def open_keys(document: Document) -> tuple[str, ...]:
    """Keys of a checked accelerator file that allow several values: what makes it a template, not a design."""
    keys = [key for key in document.data if key in FIELDS or key in STACKS or key == "tensor_dim"]
    return tuple(key for key in keys if len(parse(key, document.data[key])) > 1)


def template_of(source: Document | Design) -> Template:
    """The template of an accelerator file, or the one whose only design is ``source``.

    Raises
    ------
    InputError
        Every complaint about the file at once, with its place.
    """
    if isinstance(source, Document):
        values, calibration = _file_values(source), read_calibration(source)
        try:
            return _template(values, calibration, source)
        except InputError as error:
            raise InputError(
                [c if c.where else Complaint(source.locate((c.field,)), c.field, c.message) for c in error.complaints]
            ) from None
    tensor, vector = source.tensor, source.vector
    return Template(
        tensor_cores=(source.tensor_cores,),
        tensor_rows=(tensor.rows,),
        tensor_cols=(tensor.cols,),
        dataflow=(tensor.dataflow,),
        tensor_sram_bytes=(tensor.sram_bytes,),
        vector_cores=(source.vector_cores,),
        vector_lanes=(vector.lanes,),
        vector_ops_per_lane=(vector.ops_per_lane,),
        vector_sram_bytes=(vector.sram_bytes,),
        shared_sram_bytes=(source.shared_sram_bytes,),
        hbm_bytes=(source.hbm_bytes,),
        hbm_bytes_per_s=(source.hbm_bytes_per_s,),
        frequency_hz=(source.frequency_hz,),
        port_bytes_per_s=(source.port_bytes_per_s,),
        calibration=source.calibration,
        tensor_rates=tensor.rates,
        vector_rates=vector.rates,
    )
