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
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, WithJsonSchema, model_validator

from accmine.errors import InputError
from accmine.files import (
    Document,
    FieldsError,
    Place,
    allowed_units,
    load_yaml,
    parse_quantity,
    quantity_pattern,
    resolve,
    validate,
)
from accmine.kernel.architecture import Architecture, Memory, RegisterFile, Stage, Unit
from accmine.kernel.expression import FUNCTIONS, Complaints, evaluate, parse, substituted
from accmine.kernel.product import ProductRule, check_product
from accmine.kernel.resolve import paths

__all__ = ["NAME", "REFUSED", "Whole", "architecture_schema", "indices", "load_architecture", "read_architecture"]

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*")
"""What an object, a register, a buffer or a mnemonic may be called."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
"""What expressions may name."""

MOST_REPEATED = 100_000
"""Objects that one repetition makes."""

_ARRIVAL = "who comes first depends on the times themselves, which is not max-plus"
REFUSED = {
    "issue": f"instructions are issued in program order; where they overtake each other {_ARRIVAL}",
    "arbitration": f"ports are taken in program order; under arbitration by arrival {_ARRIVAL}",
    "cache": "what a cache holds depends on all earlier addresses, which is not max-plus; describe a memory and say "
    "what each instruction transfers",
}
"""What people may ask for and no description has, and why; ``accmine.kernel`` is exact since all of it is max-plus."""
_REFUSED_KINDS = {"out-of-order": "issue", "overtaking": "issue", "arbiter": "arbitration", "crossbar": "arbitration"}
_REFUSED_KEYS = {"replacement": "cache", "ways": "cache", "associativity": "cache", "policy": "arbitration"}


def _whole(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"must be a whole number or an expression, got {value!r}")
    try:
        if isinstance(value, str):
            parse(value)
    except InputError as error:
        raise ValueError(error.complaints[0].message) from None
    return value


def _size(value: Any) -> int | str:
    if not isinstance(value, str) or not re.match(quantity_pattern("bytes"), value):
        try:
            return _whole(value)
        except ValueError as error:
            units = f"or a quantity ({allowed_units('bytes')})"
            raise ValueError(f"{error}; {units}") from None
    exact = parse_quantity(value, "bytes")
    if not exact.is_integer():
        raise ValueError(f"must be whole bytes, got {value!r}")
    return int(exact)


def _hertz(value: Any) -> float:
    try:
        found = parse_quantity(value, "hertz")
    except InputError as error:
        raise ValueError(error.complaints[0].message) from None
    if found <= 0:
        raise ValueError(f"must be more than 0, got {value!r}")
    return found


_TEXT = {"type": "string", "minLength": 1}
_NUMBER = {"anyOf": [{"type": "integer"}, _TEXT]}
_SIZE = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": quantity_pattern("bytes")}, _TEXT]}
_HERTZ = {"type": "string", "pattern": quantity_pattern("hertz")}
Whole = Annotated[int | str, BeforeValidator(_whole), WithJsonSchema(_NUMBER)]
"""A whole number, or an expression."""
_Size = Annotated[int | str, BeforeValidator(_size), WithJsonSchema(_SIZE)]
_Hertz = Annotated[float, BeforeValidator(_hertz), WithJsonSchema(_HERTZ)]
_Repeat = Annotated[dict[str, Whole], Field(min_length=1)]
_Names = tuple[StrictStr, ...]


class _Object(BaseModel):
    """What every object may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat: _Repeat = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _max_plus(cls, data: Any) -> Any:
        """Name what is refused, instead of not knowing it."""
        if not isinstance(data, Mapping):
            return data
        wrong = []
        for key, value in data.items():
            word = str(value) if key in ("kind", "issue", "arbitration") else str(key)
            reason = _REFUSED_KINDS.get(word) or _REFUSED_KEYS.get(str(key)) or (str(key) if key in REFUSED else "")
            reason = reason or ("cache" if "cache" in word else "")
            if reason:
                wrong.append(((str(key),), f"{word!r} is refused: {REFUSED[reason]}"))
        if wrong:
            raise FieldsError(wrong)
        return data


class _Stage(_Object):
    kind: Literal["fetch", "stage", "execute"] = "stage"
    latency: Whole = 1
    interval: Whole = 1
    slots: Whole = 1
    to: _Names


class _Unit(_Object):
    executes: Annotated[_Names, Field(min_length=1)]
    latency: Whole = 1
    interval: Whole | None = None
    slots: Whole = 1
    reads: _Names = ()
    writes: _Names = ()


class _Memory(_Object):
    bandwidth: Whole
    size: _Size | None = None
    read_latency: Whole = 1
    write_latency: Whole = 1
    ports: Whole | None = None
    read_ports: Whole | None = None
    write_ports: Whole | None = None
    buffers: dict[str, Whole] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind_of_ports(self) -> _Memory:
        apart = (self.read_ports, self.write_ports)
        if apart.count(None) == 1:
            missing = ("read_ports", "write_ports")[apart.index(None)]
            raise FieldsError([((missing,), "is required: read_ports and write_ports come together")])
        if self.ports is not None and self.read_ports is not None:
            raise FieldsError([(("ports",), "serve reads and writes; leave it out, or read_ports and write_ports")])
        return self


def _listed(value: Any) -> Any:
    """A list of names is a mapping in which each has one slot."""
    if not isinstance(value, list):
        return value
    twice = {str(name) for name in value if value.count(name) > 1}
    if twice:
        raise ValueError(f"names {', '.join(sorted(twice))} twice")
    return dict.fromkeys(map(str, value), 1)


class _Registers(BaseModel):
    """Registers and their slots, each a key of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Whole]

    repeat: _Repeat = Field(default_factory=dict)


_REGISTERS = {"anyOf": [{"type": "array", "items": _TEXT}, {"type": "object"}]}


class _File(BaseModel):
    """A file of an architecture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(strict=True, min_length=1)]
    description: StrictStr = ""
    abstracts: StrictStr = ""
    sources: _Names = ()
    frequency: _Hertz | None = None
    parameters: dict[str, Whole] = Field(default_factory=dict)
    stages: Annotated[dict[str, _Stage], Field(min_length=1)]
    units: Annotated[dict[str, _Unit], Field(min_length=1)]
    registers: dict[str, Annotated[_Registers, BeforeValidator(_listed), WithJsonSchema(_REGISTERS)]] = Field(
        default_factory=dict
    )
    memories: dict[str, _Memory] = Field(default_factory=dict)
    product: ProductRule | None = None


_LEAST = {"latency": 0, "interval": 0}
"""Of numbers; 1 where nothing is said."""
_OPEN = {("stages", "latency"), ("units", "latency"), ("units", "interval")}
"""What may name values of instructions."""
_LISTS = ("to", "executes", "reads", "writes")
_PARTS = ("buffers", "registers")

_Values = dict[str, Any]


def architecture_schema() -> dict[str, Any]:
    """JSON schema of a file of an architecture."""
    return _File.model_json_schema()


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
    return read_architecture(load_yaml(resolve("kernels", name_or_path, relative_to)), parameters)


def read_architecture(document: Document, parameters: Mapping[str, int] | None = None) -> Architecture:
    """The architecture of a document; ``parameters`` as in ``load_architecture``.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    file = validate(document, _File)
    found = Complaints(document)
    numbers = read_parameters(found, file.parameters, parameters or {})
    found.raise_any()
    objects = {
        section: _objects(found, section, getattr(file, section), numbers)
        for section in ("stages", "units", "registers", "memories")
    }
    _one_name_each(found, objects)
    found.raise_any()
    _choose(found, objects, {"to": ("stages", "units")}, "stages")
    _choose(found, objects, dict.fromkeys(("reads", "writes"), ("registers", "memories")), "units")
    if file.product is not None:
        check_product(found, file.product, numbers, objects)
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
        document,
        file.product,
    )
    paths(architecture)
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
    if isinstance(model, _Registers):
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
    found: Complaints, objects: Mapping[str, dict[str, _Values]], targets: Mapping[str, tuple[str, ...]], section: str
) -> None:
    """Leave the names of lists that exist; complain about others, unless they are optional and exist somewhere."""
    hits: dict[Place, bool] = {}
    known_to = {
        key: {name: None for target in sections for name in objects[target]} for key, sections in targets.items()
    }
    for values in objects[section].values():
        for key, known in known_to.items():
            kept = []
            for name, (place, optional) in values[key].items():
                hits[place] = hits.get(place, False) or name in known
                if name in known:
                    kept.append(name)
                elif not optional:
                    found.unknown(place, f"there is no {name!r} in {' and '.join(targets[key])}", name, known)
            values[key] = tuple(kept)
        if "executes" in values:
            values["executes"] = tuple(values["executes"])
    for place, hit in hits.items():
        if not hit:
            found.add(place, "names nothing in any repetition")
