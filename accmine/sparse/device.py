"""FPGA devices: what a design may use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictStr

from accmine.errors import Complaint, InputError
from accmine.files import Document, load_yaml, resolve, validate
from accmine.workload.importers.values import BytesPerSecond, Hertz, Natural, Part, Size

__all__ = ["Device", "device_schema", "load_device", "read_device"]

BLOCKS = ("dsp", "lut", "ff", "bram18", "uram")


@dataclass(frozen=True, slots=True)
class Device:
    """An FPGA.

    Attributes
    ----------
    dsp, lut, ff, bram18, uram
        Blocks that it has; a block of 36 Kbit is two of 18.
    frequency_hz
        Clock that designs are assumed to reach.
    bandwidth_bits_per_s
        Of the off-chip memory.
    source
        Where the figures come from.

    Raises
    ------
    InputError
        For a device without DSPs or logic, without clock or bandwidth, or with less than no blocks.
    """

    name: str
    dsp: int
    lut: int
    ff: int
    bram18: int
    uram: int
    frequency_hz: float
    bandwidth_bits_per_s: float
    source: str = ""

    def __post_init__(self) -> None:
        wrong = [
            (key, f"{getattr(self, key)} {key}; at least {least} is needed")
            for key in BLOCKS
            if getattr(self, key) < (least := 1 if key in ("dsp", "lut", "ff") else 0)
        ]
        for key, value in (("frequency", self.frequency_hz), ("bandwidth", self.bandwidth_bits_per_s)):
            if not (math.isfinite(value) and value > 0):
                wrong.append((key, f"{value!r} is not allowed; more than 0 is needed"))
        if wrong:
            raise InputError([Complaint("", key, message) for key, message in wrong])

    @property
    def bits_per_cycle(self) -> Fraction:
        """What the off-chip memory moves per cycle of the clock."""
        return Fraction(self.bandwidth_bits_per_s) / Fraction(self.frequency_hz)

    def blocks(self) -> Mapping[str, int]:
        """How many blocks of each kind, by the names of ``accmine.sparse.resources.RESOURCES``."""
        return {key: getattr(self, key) for key in BLOCKS}


class _Keys(Part):
    name: Annotated[StrictStr, Field(min_length=1)]
    dsp: Size
    lut: Size
    ff: Size
    bram18: Natural | None = None
    bram36: Natural | None = None
    uram: Natural = 0
    frequency: Hertz
    bandwidth: BytesPerSecond
    source: StrictStr = ""


def device_schema() -> dict[str, Any]:
    """JSON schema of a device's file."""
    return _Keys.model_json_schema()


def read_device(document: Document) -> Device:
    """The device of a file.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    own = validate(document, _Keys)
    if (own.bram18 is None) == (own.bram36 is None):
        given = () if own.bram18 is None else ("bram36",)
        message = "beside bram18: one of them is needed" if given else "bram18 or bram36 is needed"
        raise InputError([Complaint(document.locate(given), "bram36", message)])
    bram18 = own.bram18 if own.bram36 is None else 2 * own.bram36
    bits_per_s = 8 * own.bandwidth
    try:
        return Device(own.name, own.dsp, own.lut, own.ff, bram18 or 0, own.uram, own.frequency, bits_per_s, own.source)
    except InputError as error:
        raise InputError(
            [Complaint(document.locate((item.field,)), item.field, item.message) for item in error.complaints]
        ) from None


def load_device(name_or_path: str | Path, relative_to: Path | None = None) -> Device:
    """A shipped device by name, or one from a YAML file.

    Raises
    ------
    InputError
        If there is no such device, or the file is wrong.
    """
    return read_device(load_yaml(resolve("devices", name_or_path, relative_to)))
