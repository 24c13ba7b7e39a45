"""Reading a technology file: every constant with value, unit and source, no default for any.

Each may have a ``band``, the relative half-width of its error; without one it is the ``relative_error`` of the section.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document, is_file_reference, load_yaml, resolve
from accmine.hardware.technology.accelergy import read_accelergy
from accmine.hardware.technology.area import PartsArea
from accmine.hardware.technology.phaze import PhazeArea
from accmine.hardware.technology.power import Power
from accmine.hardware.technology.technology import SourcedConstant, Technology

__all__ = ["files_read", "load_technology"]

LAWS: dict[str, type[PartsArea] | type[PhazeArea]] = {"parts": PartsArea, "phaze": PhazeArea}
_TOP = ("name", "description", "node_nm", "area", "power")
_CONSTANT = ("value", "unit", "source")
_ALLOWED = (*_CONSTANT, "band")
TABLES = ("l2_um2", "glb_um2")


@dataclass
class _Reader:
    """Collects every complaint about one document before any is raised."""

    document: Document
    complaints: list[Complaint] = field(default_factory=list)
    constants: list[SourcedConstant] = field(default_factory=list)

    def complain(self, place: tuple[str, ...], message: str) -> None:
        self.complaints.append(Complaint(self.document.locate(place), ".".join(place), message))

    def mapping(self, data: Any, place: tuple[str, ...], allowed: tuple[str, ...]) -> Mapping[str, Any]:
        """``data`` as a mapping; unknown and missing keys are complained about."""
        if not isinstance(data, Mapping):
            self.complain(place, f"must be a mapping of {', '.join(allowed)}")
            return {}
        for key in data:
            if key not in allowed:
                self.complain((*place, str(key)), f"unknown key; allowed: {', '.join(allowed)}")
        return data

    def number(self, value: Any, place: tuple[str, ...]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            self.complain(place, f"must be a finite number, at least 0, got {value!r}")
            return math.nan
        return float(value)

    def band(self, value: Any, place: tuple[str, ...]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            self.complain(place, f"must be a fraction from 0 to below 1 (0.25 is ± 25 %), got {value!r}")
            return math.nan
        return float(value)

    def with_bands(self, area: PartsArea | PhazeArea, power: Power | None) -> tuple[SourcedConstant, ...]:
        """The constants; those without a band of their own have the ``relative_error`` of their section.

        ``relative_error`` itself, and what no section with one holds, has 0.
        """
        errors = {
            "area": area.relative_error if isinstance(area, PartsArea) else 0.0,
            "power": 0.0 if power is None else power.relative_error,
        }
        filled = []
        for item in self.constants:
            section, _, name = item.name.partition(".")
            given = 0.0 if name == "relative_error" else errors.get(section, 0.0)
            filled.append(replace(item, band=given) if math.isnan(item.band) else item)
        return tuple(filled)

    def table(self, value: Any, place: tuple[str, ...]) -> dict[int, float]:
        if not isinstance(value, Mapping) or not value or not all(re.fullmatch("[1-9][0-9]{0,17}", s) for s in value):
            self.complain(place, "must be a table of size in bytes (integer): number")
            return {}
        return {int(size): self.number(value[size], (*place, size)) for size in sorted(value, key=int)}

    def constant(self, data: Mapping[str, Any], name: str, unit: str, place: tuple[str, ...]) -> Any:
        """One ``{value, unit, source}``, converted; complaints for everything wrong with it."""
        place = (*place, name)
        if name not in data:
            self.complain(place, f"missing constant; needed: {{value: …, unit: {unit}, source: …}}")
            return math.nan
        entry = self.mapping(data[name], place, _ALLOWED)
        missing = [key for key in _CONSTANT if key not in entry]
        if entry and missing:
            self.complain(place, f"{', '.join(missing)} missing; needed: {{value: …, unit: {unit}, source: …}}")
        if missing:
            return math.nan
        if entry["unit"] != unit and not (unit == "1" and entry["unit"] == 1):
            self.complain((*place, "unit"), f"must be {unit}, got {entry['unit']!r}")
        if not isinstance(entry["source"], str) or not entry["source"].strip():
            self.complain((*place, "source"), "must say where the value comes from")
        band = self.band(entry["band"], (*place, "band")) if "band" in entry else math.nan
        self.constants.append(SourcedConstant(".".join(place), unit, str(entry["source"]), band))
        read = self.table if name in TABLES else self.number
        return read(entry["value"], (*place, "value"))

    def section(self, data: Any, place: tuple[str, ...], kind: type, extra: tuple[str, ...] = ()) -> dict[str, Any]:
        """All constants that the dataclass ``kind`` names."""
        units = {item.name: str(item.metadata["unit"]) for item in fields(kind)}
        may = {item.name for item in fields(kind) if item.default is None}
        mapping = self.mapping(data, place, (*extra, *units))
        wanted = {name: unit for name, unit in units.items() if name in mapping or name not in may}
        return {name: self.constant(mapping, name, unit, place) for name, unit in wanted.items()}

    def text(self, data: Mapping[str, Any], key: str) -> str:
        if not isinstance(data.get(key), str) or not data[key].strip():
            self.complain((key,), "must be a text")
        return str(data.get(key, "")).strip()


def _area(reader: _Reader, data: Mapping[str, Any]) -> tuple[type[PartsArea] | type[PhazeArea], dict[str, Any]] | None:
    section = data.get("area")
    if not isinstance(section, Mapping) or str(section.get("law")) not in LAWS:
        place = ("area", "law") if isinstance(section, Mapping) else ("area",)
        reader.complain(place, f"needs a section area with law: {' or '.join(LAWS)}")
        return None
    kind = LAWS[section["law"]]
    return kind, reader.section(section, ("area",), kind, ("law",))


def _checked_area(reader: _Reader, area: PartsArea | PhazeArea) -> None:
    if isinstance(area, PartsArea):
        for name in ("hbm_stack_bytes", "hbm_stack_bytes_per_s"):
            if getattr(area, name) < 1:
                reader.complain(("area", name, "value"), "must be at least 1")


def _checked_power(reader: _Reader, power: Power) -> None:
    if not power.sram_8kib_pj_per_byte <= power.sram_32kib_pj_per_byte <= power.sram_1mib_pj_per_byte:
        reader.complain(("power",), "the three sram_…_pj_per_byte must not fall with the size")
    if power.sram_8kib_pj_per_byte <= 0:
        reader.complain(("power", "sram_8kib_pj_per_byte", "value"), "must be above 0")
    for name in ("frequency_max_hz", "tdp_margin"):
        if getattr(power, name) <= 0:
            reader.complain(("power", name, "value"), "must be above 0")


def files_read(path: Path) -> tuple[Path, ...]:
    """Own files that a technology file is read from: itself, and where it names them tables and a base; absolute.

    Files that do not exist are left out: reading the technology complains about them.
    """
    data = load_yaml(path).data
    section = data.get("accelergy") if isinstance(data, Mapping) else None
    named = [section.get("ert"), section.get("art")] if isinstance(section, Mapping) else []
    base = data.get("base") if isinstance(section, Mapping) else None
    named += [base] if isinstance(base, str) and is_file_reference(base) else []
    files = [path, *(path.parent / name for name in named if isinstance(name, str))]
    return tuple(file.resolve() for file in files if file.is_file())


def load_technology(name_or_path: str | Path, relative_to: Path | None = None) -> Technology:
    """Read a technology by the name of a shipped one or from a YAML file.

    Parameters
    ----------
    relative_to
        Folder in which a relative file is looked up; default: the current one.

    Raises
    ------
    InputError
        For an unknown name or file, and — all at once, each with its place — for constants that are
        missing, unknown, without source, in another unit, not a number or negative.
    """
    document = load_yaml(resolve("technologies", name_or_path, relative_to))
    if isinstance(document.data, Mapping) and "accelergy" in document.data:
        return read_accelergy(document, load_technology)
    reader = _Reader(document)
    data = reader.mapping(document.data, (), _TOP)
    name, description = reader.text(data, "name"), reader.text(data, "description")
    node_nm = reader.constant(data, "node_nm", "nm", ())
    law = _area(reader, data)
    power_values = None
    if "power" not in data:
        reader.complain(("power",), "missing; a section of constants, or null if this technology defines area only")
    elif data["power"] is not None:
        power_values = reader.section(data["power"], ("power",), Power)
    if reader.complaints or law is None:
        raise InputError(reader.complaints)
    kind, values = law
    area = kind(**values)
    power = None if power_values is None else Power(**power_values)
    _checked_area(reader, area)
    if power is not None:
        _checked_power(reader, power)
    if reader.complaints:
        raise InputError(reader.complaints)
    return Technology(name, description, node_nm, area, power, reader.with_bands(area, power))
