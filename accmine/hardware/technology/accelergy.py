"""Technologies from Accelergy's tables: energies of an ERT and areas of an ART over another technology.

An energy reference table (ERT) has ``tables: [{name, actions: [{name, arguments, energy}]}]`` with energies in pJ, an
area reference table (ART) ``tables: [{name, area}]`` with areas in um². They know neither widths nor sizes, nor what a
component stands for: the technology file says so. Everything it does not map is that of its ``base``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from accmine.errors import Complaint, InputError
from accmine.files import Document, Place, did_you_mean, load_yaml, parse_quantity, resolve
from accmine.hardware.technology.area import PartsArea
from accmine.hardware.technology.power import Power
from accmine.hardware.technology.technology import SourcedConstant, Technology

__all__ = ["COMPONENTS", "read_accelergy"]

_TOP = ("name", "description", "base", "accelergy")
_SECTION = ("ert", "art", "band", "components")
_MAP = ("component", "actions", "arguments", "width", "size")
_LARGEST_PJ, _LARGEST_UM2 = (
    1e9,
    1e12,
)  # a millijoule per action, a square metre: underflow and unit errors, not circuits
_IDLE = ("idle", "leak")

LoadTechnology = Callable[[str, Path | None], Technology]

COMPONENTS: dict[str, tuple[str | None, str | None]] = {
    "mac_int8": ("mac_int8_pj", None),
    "mac_bf16": ("mac_bf16_pj", "mac_um2"),
    "mac_fp16": ("mac_fp16_pj", None),
    "mac_fp32": ("mac_fp32_pj", None),
    "vector_op_fp32": ("vector_op_fp32_pj", "vector_alu_um2"),
    "register": (None, "register_um2_per_bit"),
    "dram": ("hbm_pj_per_byte", None),
    "sram": (None, "sram_mm2_per_mib"),
}
"""What a component may stand for: the constants of power and area that its energy and area override.

The energy of an ``sram`` scales those of all sizes so that the one of its size is met."""

_SRAM_POINTS = {"sram_8kib_pj_per_byte": 1 << 13, "sram_32kib_pj_per_byte": 1 << 15, "sram_1mib_pj_per_byte": 1 << 20}


@dataclass
class _Reader:
    """A technology file with its two tables; collects every complaint before any is raised."""

    document: Document
    ert: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    art: Mapping[str, Any] | None = None
    complaints: list[Complaint] = field(default_factory=list)

    def complain(self, place: Place, message: str) -> None:
        self.complaints.append(Complaint(self.document.locate(place), ".".join(map(str, place)), message))

    def mapping(self, data: Any, place: Place, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(data, Mapping):
            self.complain(place, f"must be a mapping of {', '.join(allowed)}")
            return {}
        for key in data:
            if key not in allowed:
                hint = did_you_mean(str(key), allowed)
                self.complain((*place, str(key)), f"unknown key; {hint}allowed: {', '.join(allowed)}")
        return data

    def size(self, entry: Mapping[str, Any], key: str, place: Place) -> float:
        """A number of bytes above 0, or NaN after a complaint."""
        if key not in entry:
            self.complain(place, f"needs {key}, with its unit in bytes (the tables do not say it)")
            return math.nan
        try:
            value = parse_quantity(entry[key], "bytes")
        except InputError as error:
            self.complain((*place, key), error.complaints[0].message)
            return math.nan
        if value <= 0:
            self.complain((*place, key), "must be above 0")
            return math.nan
        return value

    def _find(self, name: Any, names: Mapping[str, Any], place: Place, table: str) -> str | None:
        """The component of a table, its ranges such as ``[0..167]`` named or left out."""
        found = [known for known in names if name in (known, _plain(known))]
        if len(found) == 1:
            return found[0]
        known = ", ".join(map(_plain, names))
        hint = did_you_mean(str(name), map(_plain, names))
        problem = f"{len(found)} components of the {table} are called" if found else f"the {table} has no component"
        self.complain(place, f"{problem} {name!r}; {hint}known: {known}")
        return None

    def energy_pj(self, entry: Mapping[str, Any], place: Place) -> float:
        """Mean energy of the named actions of a component, in pJ."""
        name = self._find(entry.get("component"), self.ert, place, "ERT")
        if name is None:
            return math.nan
        actions = self.ert[name]
        wanted = entry.get("actions")
        if wanted is None:
            wanted = sorted({str(item["name"]) for item in actions} - set(_IDLE))
            if len(wanted) != 1:
                self.complain(place, f"needs actions, one or a list of {', '.join(wanted)}; several are averaged")
                return math.nan
        wanted = wanted if isinstance(wanted, list) else [wanted]
        energies = [self._action_pj(actions, action, entry.get("arguments"), place) for action in wanted]
        return sum(energies) / len(energies) if energies else math.nan

    def _action_pj(self, actions: list[Mapping[str, Any]], name: Any, arguments: Any, place: Place) -> float:
        entries = [item for item in actions if item["name"] == name]
        if not entries:
            known = ", ".join(sorted({str(item["name"]) for item in actions}))
            self.complain((*place, "actions"), f"the component has no action {name!r}; it has {known}")
            return math.nan
        if isinstance(arguments, Mapping):
            entries = [i for i in entries if arguments.items() <= dict(i.get("arguments") or {}).items()]
        energies = {item.get("energy") for item in entries}
        if len(energies) != 1:
            what = "no entry" if not energies else f"{len(entries)} entries of different energy"
            self.complain(place, f"action {name!r} has {what} for these arguments; say arguments: {{name: value, …}}")
            return math.nan
        return self._checked(energies.pop(), _LARGEST_PJ, f"energy of action {name!r}", "pJ", place)

    def area_um2(self, entry: Mapping[str, Any], place: Place) -> float:
        """Area of a component in um²."""
        assert self.art is not None
        name = self._find(entry.get("component"), self.art, place, "ART")
        return math.nan if name is None else self._checked(self.art[name], _LARGEST_UM2, "area", "um2", place)

    def _checked(self, value: Any, largest: float, what: str, unit: str, place: Place) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 < value <= largest:
            message = f"the {what} must be a number above 0 and at most {largest:g} {unit}, got {value!r}"
            self.complain(place, f"{message} (an estimator that failed?)")
            return math.nan
        return float(value)


def _plain(name: str) -> str:
    """A component without the ranges of its copies."""
    return re.sub(r"\[[^\]]*\]", "", name)


def _tables(document: Document, root: str, unit: str) -> list[Mapping[str, Any]]:
    """The tables of an ERT or ART, checked for their shape and unit."""
    data = document.data.get(root) if isinstance(document.data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(data.get("tables"), list) or not data["tables"]:
        raise InputError(f"must hold {root}: {{version, tables: [{{name, …}}]}}", where=document.name, field=root)
    stated = data.get("unit", data.get("units", unit))
    if stated not in (unit, unit.replace("u", "µ")):
        raise InputError(f"must be in {unit}, got {stated!r}", where=document.locate((root,)), field=f"{root}.unit")
    wrong = [i for i, table in enumerate(data["tables"]) if not isinstance(table, Mapping) or "name" not in table]
    if wrong:
        raise InputError(
            [Complaint(document.locate((root, "tables", i)), f"{root}.tables.{i}", "needs a name") for i in wrong]
        )
    return list(data["tables"])


def _load_ert(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    document = load_yaml(path)
    tables = _tables(document, "ERT", "pJ")
    wrong = []
    for i, table in enumerate(tables):
        actions = table.get("actions")
        if not isinstance(actions, list) or not all(isinstance(a, Mapping) and "name" in a for a in actions):
            where = document.locate(("ERT", "tables", i))
            wrong.append(Complaint(where, f"ERT.tables.{i}", "needs actions: [{name, arguments, energy}]"))
    if wrong:
        raise InputError(wrong)
    return {str(table["name"]): list(table["actions"]) for table in tables}


def _load_art(path: Path) -> dict[str, Any]:
    document = load_yaml(path)
    return {str(table["name"]): table.get("area") for table in _tables(document, "ART", "um2")}


def _entries(reader: _Reader, components: Any) -> Iterator[tuple[str, Mapping[str, Any], Place]]:
    """(what it stands for, entry, place) of every mapped component; a plain name is an entry too."""
    place: Place = ("accelergy", "components")
    for kind, value in reader.mapping(components, place, tuple(COMPONENTS)).items():
        if kind not in COMPONENTS:
            continue
        items = list(enumerate(value)) if isinstance(value, list) and kind == "sram" else [(None, value)]
        for index, item in items:
            at: Place = (*place, kind) if index is None else (*place, kind, index)
            yield kind, {"component": item} if isinstance(item, str) else reader.mapping(item, at, _MAP), at


@dataclass
class _Found:
    """Values of the tables: constants by name, the energies of SRAMs by size, and everything that was read."""

    constants: dict[str, float] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    sram_pj_per_byte: dict[int, float] = field(default_factory=dict)
    read: list[float] = field(default_factory=list)


def _collect(reader: _Reader, components: Any, files: tuple[str, str]) -> _Found:
    found = _Found()
    largest_sram = 0.0
    for kind, entry, place in _entries(reader, components):
        energy, area = COMPONENTS[kind]
        if kind == "register" and reader.art is None:
            reader.complain(place, "a register overrides an area only: needs accelergy.art")
        source = f"component {entry.get('component')} of {{}} (Accelergy)"
        width = reader.size(entry, "width", place) if kind in ("dram", "sram", "register") else 1.0
        size = reader.size(entry, "size", place) if kind == "sram" else 1.0
        if energy or kind == "sram":
            value = reader.energy_pj(entry, place)
            found.read.append(value)
            if energy:
                found.constants[f"power.{energy}"] = value / width
                found.sources[f"power.{energy}"] = source.format(files[0])
            else:
                if size in found.sram_pj_per_byte:
                    reader.complain(place, "another SRAM has the same size")
                found.sram_pj_per_byte[0 if math.isnan(size) else int(size)] = value / width
                for name in _SRAM_POINTS:
                    earlier = found.sources.get(f"power.{name}")
                    parts = [earlier] if earlier else []
                    found.sources[f"power.{name}"] = "; ".join([*parts, source.format(files[0])])
        if area and reader.art is not None and (kind != "sram" or size > largest_sram):
            largest_sram = size
            um2 = reader.area_um2(entry, place)
            found.read.append(um2)
            per = {"register": um2 / (8 * width), "sram": um2 * 1e-6 / (size / (1 << 20))}
            found.constants[f"area.{area}"] = per.get(kind, um2)
            found.sources[f"area.{area}"] = source.format(files[1])
    if found.read and all(value == 1 for value in found.read):
        message = "every energy and area read is exactly 1, Accelergy's placeholder for what no estimator knew"
        reader.complain(("accelergy", "components"), message)
    return found


def _sram_energies(power: Power, given: Mapping[int, float]) -> dict[str, float]:
    """The three energies per byte scaled so that the curve through them meets those given by size (bytes).

    Of all such curves the one whose factors on the three energies differ least from their mean.

    Raises
    ------
    InputError
        If no curve meets all: of sizes beyond 1 MiB or below 8 KiB only one energy is possible, and three in all.
    """
    points = np.log(list(_SRAM_POINTS.values()))
    # the curve is linear in logarithms between the points: so is the factor, with these weights
    weights = np.array([[np.interp(math.log(size), points, unit) for unit in np.eye(len(points))] for size in given])
    factors = np.array([math.log(pj / power.sram_pj_per_byte(size)) for size, pj in given.items()])
    mean = factors.mean()
    solved = mean + np.linalg.lstsq(weights, factors - mean, rcond=None)[0]
    if np.abs(weights @ solved - factors).max() > 1e-6:
        raise InputError("no curve through 8 KiB, 32 KiB and 1 MiB has all these energies; give fewer sizes")
    return {
        name: float(getattr(power, name) * math.exp(factor)) for name, factor in zip(_SRAM_POINTS, solved, strict=True)
    }


def _base(reader: _Reader, data: Mapping[str, Any], load: LoadTechnology) -> Technology | None:
    if not isinstance(data.get("base"), str):
        given = "the tables have no HBM stacks, network, overheads, leakage or margins"
        reader.complain(("base",), f"needs the technology of everything that is not mapped: {given}")
        return None
    folder = None if reader.document.path is None else reader.document.path.parent
    try:
        own = load_yaml(resolve("technologies", data["base"], folder)).data
        if isinstance(own, Mapping) and "accelergy" in own:
            raise InputError("is itself made of tables; name a technology with constants of its own")
        base = load(data["base"], folder)
    except InputError as error:
        reader.complain(("base",), "; ".join(map(str, error.complaints)))
        return None
    if not isinstance(base.area, PartsArea) or base.power is None:
        reader.complain(
            ("base",), f"{base.name} has no sum-of-parts area or no power; take accelerator-22nm or another"
        )
        return None
    return base


def _open_tables(reader: _Reader, section: Mapping[str, Any]) -> tuple[str, str]:
    """Read both files into the reader; returns their names."""
    folder = Path.cwd() if reader.document.path is None else reader.document.path.parent
    if "ert" not in section:
        reader.complain(("accelergy",), "needs ert, the file of the energy reference table")
    names = []
    for key, load in (("ert", _load_ert), ("art", _load_art)):
        names.append(str(section.get(key, "")))
        if key not in section:
            continue
        try:
            table: Any = load(folder / str(section[key]))
        except InputError as error:
            reader.complaints += error.complaints
            continue
        setattr(reader, key, table)
    return names[0], names[1]


def read_accelergy(document: Document, load: LoadTechnology) -> Technology:
    """Read a technology file that has a section ``accelergy``.

    The file says ``base`` (a technology), ``accelergy.ert`` and optionally ``accelergy.art`` (files beside it),
    ``accelergy.band`` (relative half-width of the error of the values read) and ``accelergy.components``: what each
    component stands for (``COMPONENTS``), as its name or as ``{component, actions, arguments, width, size}``. ``width``
    is the size of one action of a memory or register, ``size`` the capacity of an SRAM.

    Parameters
    ----------
    load
        Reads the base by name or file, looked up in a folder.

    Raises
    ------
    InputError
        Every complaint at once: files that are no ERT or ART, units other than pJ and um2, components and actions that
        are not in them, energies and areas that are zero, negative, absurd or placeholders, no base for the rest.
    """
    reader = _Reader(document)
    data = reader.mapping(document.data, (), _TOP)
    section = reader.mapping(data.get("accelergy"), ("accelergy",), _SECTION)
    base = _base(reader, data, load)
    for key in ("name", "description"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            reader.complain((key,), "must be a text")
    band = section.get("band")
    if isinstance(band, bool) or not isinstance(band, (int, float)) or not 0 <= band < 1:
        reader.complain(("accelergy", "band"), f"must say the error of the tables, from 0 to below 1, got {band!r}")
    files = _open_tables(reader, section)
    if reader.complaints or base is None:
        raise InputError(reader.complaints)
    found = _collect(reader, section.get("components"), files)
    if not found.read:
        reader.complain(("accelergy", "components"), "maps no component, so the tables would not be used")
    if reader.complaints:
        raise InputError(reader.complaints)
    return _applied(reader, base, found, float(section["band"]), data)


def _applied(reader: _Reader, base: Technology, found: _Found, band: float, data: Mapping[str, Any]) -> Technology:
    area, power = base.area, base.need_power()
    assert isinstance(area, PartsArea)
    if found.sram_pj_per_byte:
        try:
            energies = _sram_energies(power, found.sram_pj_per_byte)
            if list(energies.values()) != sorted(energies.values()):
                raise InputError("the energy per byte must not fall with the size")
        except InputError as error:
            reader.complain(("accelergy", "components", "sram"), error.complaints[0].message)
            raise InputError(reader.complaints) from None
        found.constants.update({f"power.{name}": value for name, value in energies.items()})
    changes: dict[str, dict[str, Any]] = {"area": {}, "power": {}}
    for name, value in found.constants.items():
        section, _, constant = name.partition(".")
        changes[section][constant] = value
    constants = tuple(_sourced(item, found, band) for item in base.constants)
    return Technology(
        " ".join(data["name"].split()),
        " ".join(data["description"].split()),
        base.node_nm,
        replace(area, **changes["area"]),
        replace(power, **changes["power"]),
        constants,
    )


def _sourced(item: SourcedConstant, found: _Found, band: float) -> SourcedConstant:
    return replace(item, source=found.sources[item.name], band=band) if item.name in found.constants else item
