"""The YAML language of layered models: a list of layers, with blocks of one's own and repeats.

An entry is a name (``relu``) or a name with options (``conv: {out: 64, kernel: 7, stride: 2}``):

=================  ====================================================================================
layer              options
=================  ====================================================================================
conv               ``out``, ``kernel``; ``stride`` 1, ``padding`` 0 or ``same``, ``dilation`` 1,
                   ``groups`` 1 or ``depthwise``, ``bias`` true. Sizes are an integer or [height, width];
                   ``padding`` also [top, bottom, left, right]
linear             ``out``; ``bias`` true. Flattens its input
batch-norm,        none
layer-norm
relu relu6 gelu    none
silu sigmoid tanh
hardswish
hardsigmoid
max-pool,          ``kernel``; ``stride`` (the kernel), ``padding`` 0, ``ceil`` false
avg-pool
adaptive-avg-pool  ``size``: rows and columns of the result
global-avg-pool    none
dropout            ``rate``
flatten            none; a view
residual           ``body``: layers; ``shortcut``: ``identity``, ``projection`` (1 × 1 convolution and
                   batch norm), ``auto`` (identity where shapes agree, else projection), ``same``
                   (identity where shapes agree, else none), or layers
branches           a list of lists of layers, all on the same input, put side by side along channels
squeeze-excite     ``width``; ``activation`` relu, ``gate`` hardsigmoid
auxiliary          ``layers``: a side classifier with a loss of its own; ``weight`` of that loss
unit               ``layers``: one link of the chain of layers at which a pipeline may be cut
=================  ====================================================================================

Every entry takes ``repeat`` and ``if`` (left out when false, 0 or null). ``blocks`` names lists of layers
with parameters (a number, text, flag, null or a list of up to four); ``$name`` stands for a parameter's value:

.. code-block:: yaml

    blocks:
      conv-bn-relu:
        parameters: {out: required, kernel: 3, stride: 1}
        layers:
          - conv: {out: $out, kernel: $kernel, stride: $stride, padding: same, bias: false}
          - batch-norm
          - relu
    layers:
      - conv-bn-relu: {out: 64, repeat: 2}

Repeats and blocks multiply: operators are counted before anything is repeated, and at most ``MOST_OPERATORS``
are allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from accmine.errors import Complaint, InputError
from accmine.files import Document, Place, complaints_of, did_you_mean
from accmine.workload.graph import MOST_OPERATORS
from accmine.workload.importers.layer_options import LAYERS
from accmine.workload.importers.values import LARGEST

__all__ = ["PRODUCTS", "LayerSpec", "read_layers"]

_DEEPEST = 40  # layers within layers, blocks included
_MOST_READ = 20_000  # entries, those of a block again for other parameters
_MOST_ITEMS = 4  # of a list that a parameter holds
_LONGEST = 60  # characters of a wrong value that a message shows


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


PRODUCTS = frozenset({"conv", "linear", "residual", "branches", "unit"})
"""Layers that open a link of the chain when they stand at the top level; others join the link before."""

_NESTED: dict[str, tuple[str, ...]] = {
    "residual": ("body", "shortcut"),
    "auxiliary": ("layers",),
    "unit": ("layers",),
    "branches": ("branches",),
}
_OPERATORS = {"squeeze-excite": 6, "residual": 3, "auxiliary": 1}  # most of a layer beside its parts; others: one


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a description, with its blocks and parameters already put in.

    Attributes
    ----------
    kind
        Key of ``LAYERS``.
    options
        (name, value) of its plain options.
    parts
        Lists of layers within it: body and shortcut of a residual, every branch, or the layers of a unit.
    label
        What it is called in the chain of layers: its kind, or the name of its block.
    where, field
        Position in the file, for complaints.
    operators
        Operators that it makes at most, with those of its parts.
    """

    kind: str
    options: tuple[tuple[str, Any], ...]
    parts: tuple[tuple[LayerSpec, ...], ...]
    label: str
    where: str
    field: str
    operators: int

    def option(self, name: str) -> Any:
        """Value of the option ``name``."""
        return dict(self.options)[name]


@dataclass(frozen=True)
class _Block:
    parameters: dict[str, Any]
    layers: Any
    place: Place


@dataclass
class _Reader:
    """A file being read: its blocks, what is wrong so far, and what blocks with equal parameters became."""

    document: Document
    blocks: dict[str, _Block] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)
    units: dict[str, tuple[LayerSpec, ...]] = field(default_factory=dict)
    entries: int = 0

    def complain(self, place: Place, message: str, *, key: bool = False) -> None:
        self.complaints.append(
            Complaint(self.document.locate(place, key=key), ".".join(map(str, place)), message.rstrip("; "))
        )

    def refuse(self, place: Place, message: str) -> InputError:
        """What cannot be read on, with all complaints."""
        self.complain(place, message)
        return InputError(self.complaints)

    def unknown(self, place: Place, options: Mapping[Any, Any], allowed: list[str]) -> None:
        for key in options:
            if key not in allowed:
                hint = did_you_mean(str(key), allowed)
                message = f"unknown key {str(key)!r}; {hint}allowed: {', '.join(allowed) or 'none'}"
                self.complain((*place, str(key)), message, key=True)


@dataclass(frozen=True)
class _Scope:
    """What a list of layers may refer to: the file, and the parameters of the block it stands in."""

    reader: _Reader
    values: Mapping[str, Any]
    depth: int = 0
    used: str = ""

    def fill(self, value: Any, place: Place) -> Any:
        """``value``, with the parameter it names put in; lists are filled item by item."""
        if isinstance(value, list):
            return [self.fill(item, (*place, i)) for i, item in enumerate(value)]
        if not (isinstance(value, str) and value.startswith("$")):
            return value
        if value[1:] not in self.values:
            known = ", ".join(f"${name}" for name in self.values) or "none here"
            self.reader.complain(place, f"unknown parameter {value}; known: {known}")
            return None
        return self.values[value[1:]]


def read_layers(document: Document) -> tuple[LayerSpec, ...]:
    """The layers at key ``layers`` of a file, with the ``blocks`` it defines.

    Raises
    ------
    InputError
        With everything that is wrong; at the first place beyond ``MOST_OPERATORS``, before layers are repeated.
    """
    reader = _Reader(document)
    blocks = document.data.get("blocks")
    if blocks is not None and not isinstance(blocks, dict):
        reader.complain(("blocks",), f"must be a mapping of names to blocks, got {_shown(blocks)}")
        blocks = None
    for name, block in (blocks or {}).items():
        _define(reader, str(name), block)
    found = _sequence(_Scope(reader, {}), document.data.get("layers"), ("layers",))
    if reader.complaints:
        raise InputError(list(dict.fromkeys(reader.complaints)))
    return found


def _define(reader: _Reader, name: str, block: Any) -> None:
    place: Place = ("blocks", name)
    if name in LAYERS:
        reader.complain(place, "the name of a layer cannot name a block")
    if not isinstance(block, dict):
        reader.complain(place, f"must be a mapping with parameters and layers, got {_shown(block)}")
        block = {}
    reader.unknown(place, block, ["parameters", "layers"])
    parameters = block.get("parameters") or {}
    if not isinstance(parameters, dict):
        reader.complain((*place, "parameters"), f"must be a mapping of names to defaults, got {_shown(parameters)}")
        parameters = {}
    for key, value in parameters.items():
        _parameter(reader, value, (*place, "parameters", str(key)))
    reader.blocks[name] = _Block(parameters, block.get("layers"), (*place, "layers"))


def _parameter(reader: _Reader, value: Any, place: Place) -> None:
    """Refuse what a parameter cannot hold: lists of lists grow with every block they pass through."""
    items = value if isinstance(value, list) and len(value) <= _MOST_ITEMS else [value]
    if any(isinstance(item, list | dict) for item in items):
        reader.complain(place, f"must be a number, text, flag, null, or a list of up to {_MOST_ITEMS} of them")


def _sequence(scope: _Scope, entries: Any, place: Place) -> tuple[LayerSpec, ...]:
    reader = scope.reader
    if not isinstance(entries, list) or not entries:
        reader.complain(place, f"must be a list of layers, got {_shown(entries)}")
        return ()
    if scope.depth > _DEEPEST:
        raise reader.refuse(place, f"layers nest more than {_DEEPEST} deep: does a block contain itself?")
    found: list[LayerSpec] = []
    total = 0
    for index, entry in enumerate(entries):
        reader.entries += 1
        if reader.entries > _MOST_READ:
            raise reader.refuse((*place, index), f"blocks with ever other parameters; allowed: {_MOST_READ} entries")
        read = _entry(scope, entry, (*place, index))
        if read is None:
            continue
        spec, repeat = read
        operators, before = spec.operators, total
        total += operators * repeat
        if total > MOST_OPERATORS:
            most = (MOST_OPERATORS - before) // operators
            message = f"{repeat:,} times {operators:,} operators behind {before:,}; allowed: {MOST_OPERATORS:,} in all"
            raise reader.refuse((*place, index), message + (f", by a repeat of at most {most}" if most else ""))
        found += [spec] * repeat
    return tuple(found)


def _entry(scope: _Scope, entry: Any, place: Place) -> tuple[LayerSpec, int] | None:
    """One entry of a list of layers, and how often it is repeated."""
    reader = scope.reader
    if isinstance(entry, dict) and len(entry) != 1:
        reader.complain(place, f"an entry is one layer, a name or a name with options; got {_shown(entry)}")
        return None
    name, options = next(iter(entry.items())) if isinstance(entry, dict) else (entry, None)
    name = scope.fill(name, place)
    if not isinstance(name, str) or (name not in LAYERS and name not in reader.blocks):
        known = [*LAYERS, *reader.blocks]
        reader.complain(
            place, f"unknown layer {_shown(name)}; {did_you_mean(str(name), known)}allowed: {', '.join(known)}"
        )
        return None
    if isinstance(entry, dict):
        place = (*place, next(iter(entry)))
    if name == "branches" and isinstance(options, list):
        options = {"branches": options}
    options = {} if options is None else options
    if not isinstance(options, dict):
        reader.complain(place, f"must be a mapping of options, got {_shown(options)}")
        return None
    nested = _NESTED.get(name, ())
    options = {k: v if k in nested else scope.fill(v, (*place, str(k))) for k, v in options.items()}
    repeat = options.pop("repeat", 1)
    if not options.pop("if", True):
        return None
    if type(repeat) is not int or not 1 <= repeat <= LARGEST:
        reader.complain((*place, "repeat"), f"must be a whole number of 1 to {LARGEST}, got {_shown(repeat)}")
        repeat = 1
    read = _block if name in reader.blocks else _layer
    return read(scope, name, options, place), repeat


def _block(scope: _Scope, name: str, options: dict[str, Any], place: Place) -> LayerSpec:
    """A block, as a unit of its layers with its parameters put in."""
    reader, block = scope.reader, scope.reader.blocks[name]
    reader.unknown(place, options, [*block.parameters, "repeat", "if"])
    for key, value in options.items():
        _parameter(reader, value, (*place, str(key)))
    values = block.parameters | {key: value for key, value in options.items() if key in block.parameters}
    missing = [key for key, value in values.items() if value == "required"]
    where = reader.document.locate(place)
    parts: tuple[LayerSpec, ...] = ()
    if missing:
        reader.complain(place, f"block {name} needs {', '.join(missing)}")
    else:
        same = f"{name} {values!r} {scope.depth}"
        if same not in reader.units:
            inner = _Scope(reader, values, scope.depth + 1, f" (in block {name}, used at {where})")
            reader.units[same] = _sequence(inner, block.layers, block.place)
        parts = reader.units[same]
    return LayerSpec("unit", (), (parts,), name, where, ".".join(map(str, place)), _most("unit", [parts]))


def _layer(scope: _Scope, name: str, options: dict[str, Any], place: Place) -> LayerSpec:
    reader, nested = scope.reader, _NESTED.get(name, ())
    inner = replace(scope, depth=scope.depth + 1)
    lists: list[tuple[Any, Place]] = [(options.get(key), (*place, key)) for key in nested]
    if name == "residual":
        shortcut = scope.fill(options.get("shortcut", "identity"), (*place, "shortcut"))
        lists = [lists[0], (shortcut, lists[1][1])] if isinstance(shortcut, list) else lists[:1]
        options = options | {"shortcut": "identity" if isinstance(shortcut, list) else shortcut}
    elif name == "branches":
        branches = options.get("branches")
        if not isinstance(branches, list) or len(branches) < 2:
            reader.complain(place, "at least two lists of layers are expected")
            branches = []
        lists = [(branch, (*place, i)) for i, branch in enumerate(branches)]
    parts = [_sequence(inner, layers, at) for layers, at in lists]
    model = LAYERS[name]
    reader.unknown(place, options, list(dict.fromkeys([*model.model_fields, *nested, "repeat", "if"])))
    own = {key: value for key, value in options.items() if key in model.model_fields}
    values: dict[str, Any] = {}
    try:
        values = model.model_validate(own).model_dump()
    except ValidationError as error:
        for at, _, message in complaints_of(error, model, own):
            reader.complain((*place, *at), message + scope.used)
    if len(lists) > len(nested[:1]) and name == "residual":
        values["shortcut"] = "layers"
    operators = _most(name, parts)
    if operators > MOST_OPERATORS:
        raise reader.refuse(place, f"{operators:,} operators within; allowed: at most {MOST_OPERATORS:,}")
    where = (reader.document.locate(place), ".".join(map(str, place)))
    return LayerSpec(name, tuple(values.items()), tuple(parts), name, *where, operators)


def _most(name: str, parts: Sequence[tuple[LayerSpec, ...]]) -> int:
    """Operators that a layer with these parts makes at most."""
    return _OPERATORS.get(name, 1) + sum(spec.operators for part in parts for spec in part)
