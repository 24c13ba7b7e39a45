"""Files of described architectures.

``repeat: {r: rows, c: cols}`` makes an object once for every r from 0 to rows − 1 and every c; braces in its name and
in its lists hold expressions of r, c and parameters: ``pe_{r}_{c+1}``. Objects of one name that come from one
repetition are one object with all their lists joined: so a fetch stage names its hundred queues. An item of a list that
ends in ``?`` is left out where there is nothing of that name, as beyond the edge of an array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import Document, Place, is_file_reference, load_yaml, refuse_others, resolve, validate
from accmine.kernel.architecture import Architecture, Memory, RegisterFile, Stage, Unit
from accmine.kernel.described.expression import FUNCTIONS, Complaints, evaluate, may_name, parse, substituted
from accmine.kernel.described.keys import ArchitectureKeys, RegisterKeys
from accmine.kernel.described.paths import paths
from accmine.kernel.described.product import check_product

__all__ = ["NAME", "architecture_schema", "indices", "load_architecture", "read_architecture"]

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*")
"""What an object, a register, a buffer or a mnemonic may be called."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
"""What expressions may name."""

MOST_REPEATED = 100_000
"""Objects that one repetition makes."""

_LEAST = {"latency": 0, "interval": 0}
"""Of numbers; 1 where nothing is said."""
_OPEN = {("stages", "latency"), ("units", "latency"), ("units", "interval")}
"""What may name values of instructions."""
_LISTS = ("to", "executes", "reads", "writes")
_PARTS = ("buffers", "registers")

_Values = dict[str, Any]


def architecture_schema() -> dict[str, Any]:
    """JSON schema of a file of an architecture."""
    return ArchitectureKeys.model_json_schema()


def load_architecture(
    name_or_path: str | Path, relative_to: Path | None = None, parameters: Mapping[str, int] | None = None
) -> Architecture:
    """A shipped architecture by name, or one from a YAML file.

    Parameters
    ----------
    relative_to
        Folder in which a relative file is looked up; default: the current one.
    parameters
        Over those of the file.

    Raises
    ------
    InputError
        If there is no such architecture, or the file is wrong; with the place of everything that is.
    """
    as_given = str(name_or_path) if relative_to is None and is_file_reference(name_or_path) else None
    return read_architecture(load_yaml(resolve("kernels", name_or_path, relative_to), name=as_given), parameters)


def read_architecture(document: Document, parameters: Mapping[str, int] | None = None) -> Architecture:
    """The architecture of a document; ``parameters`` as in ``load_architecture``.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    refuse_others(document, "described architecture", ("stages", "units"))
    file = validate(document, ArchitectureKeys)
    found = Complaints(document)
    numbers = read_parameters(found, file.parameters, parameters or {})
    found.raise_any()
    objects = {
        section: _objects(found, section, getattr(file, section), numbers)
        for section in ("stages", "units", "registers", "memories")
    }
    _one_name_each(found, objects)
    found.raise_any()
    _choose(found, file.stages, objects, {"to": ("stages", "units")}, "stages")
    _choose(found, file.units, objects, dict.fromkeys(("reads", "writes"), ("registers", "memories")), "units")
    found.raise_any()
    architecture = Architecture(
        file.name,
        numbers,
        {name: Stage(name, **values) for name, values in objects["stages"].items()},
        {name: _unit(name, values) for name, values in objects["units"].items()},
        {name: RegisterFile(name, **values) for name, values in objects["registers"].items()},
        {name: _memory(name, values) for name, values in objects["memories"].items()},
        file.frequency,
        file.description,
        file.abstracts,
        file.sources,
        file.product,
        document,
    )
    paths(architecture)
    if file.product is not None:
        parts = {name: each.registers for name, each in architecture.registers.items()}
        parts |= {name: each.buffers for name, each in architecture.memories.items()}
        access = {
            name: {"read": u.reads, "write": u.writes} for u in architecture.units.values() for name in u.mnemonics
        }
        check_product(found, file.product, numbers, parts, access)
        found.raise_any()
    return architecture


def _unit(name: str, values: _Values) -> Unit:
    return Unit(name, values["executes"], **{key: value for key, value in values.items() if key != "executes"})


def _memory(name: str, values: _Values) -> Memory:
    return Memory(name, size_bytes=values["size"], **{key: value for key, value in values.items() if key != "size"})


def read_parameters(
    found: Complaints,
    written: Mapping[str, int | str],
    given: Mapping[str, int],
    known: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Numbers of parameters, each of which may name those before it; ``given`` ones replace what is written.

    ``known`` are numbers of others, which may be named and not be given anew.
    """
    for name, other in given.items():
        if name not in written:
            found.unknown(("parameters", name), f"unknown parameter {name!r}", name, written)
        elif isinstance(other, bool) or not isinstance(other, int):
            found.add(("parameters", name), f"must be a whole number, got {other!r}")
    found.raise_any()
    numbers: dict[str, int] = {}
    for name, value in written.items():
        place = ("parameters", name)
        if problem := _no_name(name, known or {}):
            found.add(place, problem, key=True)
            continue
        try:
            numbers[name] = evaluate(given.get(name, value), {**(known or {}), **numbers})
        except InputError as error:
            found.add(place, error.complaints[0].message)
            numbers[name] = 1
    return numbers


def _no_name(name: str, taken: Mapping[str, int]) -> str:
    """Why expressions cannot call something this, or nothing."""
    if name in taken:
        return f"{name!r} is a name already, {taken[name]}; allowed: a new one"
    if IDENTIFIER.fullmatch(name) is None or name in FUNCTIONS:
        return f"{name!r} is no name; allowed: letters, digits and _, but not {', '.join(FUNCTIONS)}"
    return ""


def indices(
    found: Complaints, repeat: Mapping[str, int | str], known: Mapping[str, int], place: Place
) -> Iterator[dict[str, int]]:
    """Every combination of the indices of a repetition, the last one fastest; the one without any if there is none."""
    counts = {}
    for index, count in repeat.items():
        own = (*place, "repeat", index)
        if problem := _no_name(index, known):
            found.add(own, problem, key=True)
        counts[index] = found.number(count, known, own, 1)
    if prod(counts.values()) > MOST_REPEATED:
        text = " x ".join(map(str, counts.values()))
        found.add((*place, "repeat"), f"{text} are too many; allowed: {MOST_REPEATED} in all")
        return
    for combination in product(*map(range, counts.values())):
        yield dict(zip(counts, combination, strict=True))


def named(found: Complaints, text: str, names: Mapping[str, int], place: Place, *, key: bool = False) -> str:
    """A name with numbers in its braces; empty after a complaint."""
    name = found.text(text, names, place, key=key)
    if name and not NAME.fullmatch(name):
        found.add(place, f"{name!r} is no name; allowed: letters, digits, _ and -, first a letter or _", key=key)
        return ""
    return name


def _objects(
    found: Complaints, section: str, models: Mapping[str, Any], numbers: Mapping[str, int]
) -> dict[str, _Values]:
    """Values of every object of a section by name; lists hold pairs of a name and its place."""
    objects: dict[str, _Values] = {}
    for key, model in models.items():
        place: Place = (section, key)
        for own in indices(found, model.repeat, numbers, place):
            name = named(found, key, {**numbers, **own}, place, key=True)
            values = _values(found, model, numbers, own, place)
            if name in objects:
                _join(found, objects[name], values, name)
            elif name:
                objects[name] = values
    return objects


def _values(found: Complaints, model: Any, numbers: Mapping[str, int], own: Mapping[str, int], place: Place) -> _Values:
    names = {**numbers, **own}
    values: _Values = {"place": place}
    fields = {key: getattr(model, key) for key in type(model).model_fields if key != "repeat"}
    if isinstance(model, RegisterKeys):
        fields = {"registers": model.model_extra}
    for key, value in fields.items():
        at = (*place, key)
        if key in _LISTS:
            values[key] = {
                named(found, item.removesuffix("?"), names, (*at, number)): ((*at, number), item.endswith("?"))
                for number, item in enumerate(value)
            }
        elif key in _PARTS:
            base = place if key == "registers" else at
            values[key] = {
                named(found, part, names, (*base, part), key=True): found.number(slots, names, (*base, part), 1)
                for part, slots in value.items()
            }
        elif value is None or key == "kind":
            values[key] = value
        elif (place[0], key) in _OPEN and isinstance(value, str) and not set(parse(value).names) <= set(names):
            values[key] = substituted(value, own)
        else:
            values[key] = found.number(value, names, at, _LEAST.get(key, 1))
    return values


def _join(found: Complaints, values: _Values, more: _Values, name: str) -> None:
    """Put the lists of a further object of the same name to those of the first."""
    if values["place"] != more["place"]:
        found.add(more["place"], f"{name!r} is there already: {'.'.join(map(str, values['place']))}", key=True)
        return
    for key, value in more.items():
        if key in _PARTS and (twice := [part for part in value if part and part in values[key]]):
            found.add((*more["place"], key), f"{name!r} has {twice[0]!r} twice in its repetition")
        if key in _LISTS or key in _PARTS:
            values[key] |= value
        elif values[key] != value:
            message = f"{name!r} has {values[key]!r} and {value!r} in its repetition; put an index into its name"
            found.add((*more["place"], key), message)


def _one_name_each(found: Complaints, objects: Mapping[str, Mapping[str, _Values]]) -> None:
    taken: dict[str, str] = {}
    for section, entries in objects.items():
        for name, values in entries.items():
            if taken.setdefault(name, section) != section:
                found.add(values["place"], f"{name!r} is a name in {taken[name]} already", key=True)


def _choose(
    found: Complaints,
    models: Mapping[str, Any],
    objects: Mapping[str, dict[str, _Values]],
    targets: Mapping[str, tuple[str, ...]],
    section: str,
) -> None:
    """Leave the names of lists that exist; complain about others, unless they are optional and could exist."""
    known_to = {
        key: {name: None for target in sections for name in objects[target]} for key, sections in targets.items()
    }
    for values in objects[section].values():
        for key, known in known_to.items():
            for name, (place, optional) in values[key].items():
                if name not in known and not optional:
                    found.unknown(place, f"there is no {name!r} in {' and '.join(targets[key])}", name, known)
            values[key] = tuple(name for name in values[key] if name in known)
        if "executes" in values:
            values["executes"] = tuple(values["executes"])
    for own, model in models.items():
        for key, known in known_to.items():
            for number, item in enumerate(getattr(model, key)):
                template = item.removesuffix("?")
                if template != item and not may_name(template, known):
                    found.unknown((section, own, key, number), f"{template!r} names nothing", template, known)
