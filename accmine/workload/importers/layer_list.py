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
with parameters; ``$name`` stands for a parameter's value:

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
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accmine.workload.importers.fields import (
    FLAG,
    NATURAL,
    POSITIVE,
    RATE,
    Allowed,
    Field,
    Keys,
    Source,
    choice,
    read_fields,
)

__all__ = ["ACTIVATIONS", "LAYERS", "PRODUCTS", "LayerSpec", "read_layers"]

ACTIVATIONS = ("relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid")


def _pair(least: int) -> Allowed:
    words = f"an integer of at least {least} or [height, width]"

    def test(value: Any) -> bool:
        sizes = value if isinstance(value, list) and len(value) == 2 else [value]
        return all(NATURAL.test(size) and size >= least for size in sizes)

    return Allowed(words, test)


_SIZE, _PADDING = _pair(1), _pair(0)
_BORDER = Allowed(
    "an integer of at least 0, [height, width], [top, bottom, left, right] or same",
    lambda value: (
        value == "same"
        or _PADDING.test(value)
        or (isinstance(value, list) and len(value) == 4 and all(NATURAL.test(side) for side in value))
    ),
)
_GROUPS = Allowed(f"{POSITIVE.words}, or depthwise", lambda value: value == "depthwise" or POSITIVE.test(value))
_WEIGHT = Allowed(
    "a number above 0", lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value > 0
)
_POOL = {
    "kernel": Field(_SIZE, required=True),
    "stride": Field(_SIZE),
    "padding": Field(_PADDING, 0),
    "ceil": Field(FLAG, False),
}

LAYERS: dict[str, dict[str, Field]] = {
    "conv": {
        "out": Field(POSITIVE, required=True),
        "kernel": Field(_SIZE, required=True),
        "stride": Field(_SIZE, 1),
        "padding": Field(_BORDER, 0),
        "dilation": Field(_SIZE, 1),
        "groups": Field(_GROUPS, 1),
        "bias": Field(FLAG, True),
    },
    "linear": {"out": Field(POSITIVE, required=True), "bias": Field(FLAG, True)},
    "batch-norm": {},
    "layer-norm": {},
    **{name: {} for name in ACTIVATIONS},
    "max-pool": _POOL,
    "avg-pool": _POOL,
    "adaptive-avg-pool": {"size": Field(_SIZE, required=True)},
    "global-avg-pool": {},
    "dropout": {"rate": Field(RATE, required=True)},
    "flatten": {},
    "squeeze-excite": {
        "width": Field(POSITIVE, required=True),
        "activation": Field(choice(*ACTIVATIONS), "relu"),
        "gate": Field(choice(*ACTIVATIONS), "hardsigmoid"),
    },
    "residual": {},
    "branches": {},
    "auxiliary": {"weight": Field(_WEIGHT, 1.0)},
    "unit": {},
}
"""Every layer and its plain options; layers within layers are read apart."""

PRODUCTS = frozenset({"conv", "linear", "residual", "branches", "unit"})
"""Layers that open a link of the chain when they stand at the top level; others join the link before."""

SHORTCUTS = ("identity", "projection", "auto", "same")

_NESTED: dict[str, tuple[str, ...]] = {
    "residual": ("body", "shortcut"),
    "auxiliary": ("layers",),
    "unit": ("layers",),
    "branches": ("branches",),
}

_DEEPEST = 20


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
    """

    kind: str
    options: tuple[tuple[str, Any], ...]
    parts: tuple[tuple[LayerSpec, ...], ...]
    label: str
    where: str
    field: str

    def option(self, name: str) -> Any:
        """Value of the option ``name``."""
        return dict(self.options)[name]


@dataclass(frozen=True)
class _Block:
    parameters: dict[str, Any]
    layers: Any
    keys: Keys


@dataclass(frozen=True)
class _Scope:
    """What a list of layers may refer to: the blocks, and the parameters of the block it stands in."""

    source: Source
    blocks: Mapping[str, _Block]
    values: Mapping[str, Any]
    depth: int = 0

    def fill(self, value: Any, keys: Keys) -> Any:
        """``value``, with the parameter it names put in; lists are filled item by item."""
        if isinstance(value, list):
            return [self.fill(item, (*keys, i)) for i, item in enumerate(value)]
        if not (isinstance(value, str) and value.startswith("$")):
            return value
        if value[1:] not in self.values:
            known = ", ".join(f"${name}" for name in self.values) or "none here"
            self.source.complain(keys, f"unknown parameter {value}; known: {known}")
            return None
        return self.values[value[1:]]


def read_layers(source: Source, layers: Any, blocks: Any) -> tuple[LayerSpec, ...]:
    """The layers at key ``layers`` of a file, with the ``blocks`` it defines.

    Complaints go to ``source``; layers that could not be read are left out.
    """
    defined: dict[str, _Block] = {}
    if blocks is not None and not isinstance(blocks, dict):
        source.complain(("blocks",), f"a mapping of names to blocks is expected, got {blocks!r}")
        blocks = None
    for name, block in (blocks or {}).items():
        keys: Keys = ("blocks", str(name))
        if name in LAYERS:
            source.complain(keys, "the name of a layer cannot name a block")
        read_fields(source, keys, block, {}, ("parameters", "layers"))
        parameters = (block.get("parameters") or {}) if isinstance(block, dict) else {}
        if not isinstance(parameters, dict):
            source.complain((*keys, "parameters"), f"a mapping of names to defaults is expected, got {parameters!r}")
            parameters = {}
        inner = block.get("layers") if isinstance(block, dict) else []
        defined[str(name)] = _Block(parameters, inner, (*keys, "layers"))
    return _sequence(_Scope(source, defined, {}), layers, ("layers",))


def _sequence(scope: _Scope, entries: Any, keys: Keys) -> tuple[LayerSpec, ...]:
    if not isinstance(entries, list) or not entries:
        scope.source.complain(keys, f"a list of layers is expected, got {entries!r}")
        return ()
    return tuple(spec for i, entry in enumerate(entries) for spec in _entry(scope, entry, (*keys, i)))


def _entry(scope: _Scope, entry: Any, keys: Keys) -> tuple[LayerSpec, ...]:
    """One entry of a list of layers, as often as it is repeated."""
    if isinstance(entry, dict) and len(entry) != 1:
        scope.source.complain(keys, f"an entry is one layer, a name or a name with options; got {entry!r}")
        return ()
    if isinstance(entry, dict):
        name, options = next(iter(entry.items()))
    else:
        name, options = entry, None
    name = scope.fill(name, keys)
    if not isinstance(name, str) or (name not in LAYERS and name not in scope.blocks):
        known = ", ".join([*LAYERS, *scope.blocks])
        scope.source.complain(keys, f"unknown layer {name!r}; allowed: {known}")
        return ()
    if isinstance(entry, dict):
        keys = (*keys, next(iter(entry)))
    if name == "branches" and isinstance(options, list):
        options = {"branches": options}
    if options is None:
        options = {}
    if not isinstance(options, dict):
        scope.source.complain(keys, f"a mapping of options is expected, got {options!r}")
        return ()
    nested = _NESTED.get(name, ())
    options = {k: v if k in nested else scope.fill(v, (*keys, str(k))) for k, v in options.items()}
    repeat = options.pop("repeat", 1)
    if not options.pop("if", True):
        return ()
    if not POSITIVE.test(repeat):
        scope.source.complain((*keys, "repeat"), f"{POSITIVE.words} is expected, got {repeat!r}")
        repeat = 1
    spec = _block(scope, name, options, keys) if name in scope.blocks else _layer(scope, name, options, keys)
    return (spec,) * int(repeat)


def _block(scope: _Scope, name: str, options: dict[str, Any], keys: Keys) -> LayerSpec:
    """A block, as a unit of its layers with its parameters put in."""
    block = scope.blocks[name]
    values = dict(block.parameters)
    for key, value in options.items():
        if key in values:
            values[key] = value
        else:
            allowed = ", ".join([*values, "repeat", "if"])
            scope.source.complain_key((*keys, str(key)), f"unknown parameter of block {name}; allowed: {allowed}")
    missing = [key for key, value in values.items() if value == "required"]
    parts: tuple[LayerSpec, ...] = ()
    if missing:
        scope.source.complain(keys, f"block {name} needs {', '.join(missing)}")
    elif scope.depth == _DEEPEST:
        scope.source.complain(keys, f"blocks nest more than {_DEEPEST} deep: does {name} contain itself?")
    else:
        parts = _sequence(_Scope(scope.source, scope.blocks, values, scope.depth + 1), block.layers, block.keys)
    position = scope.source.complaint(keys, "")
    return LayerSpec("unit", (), (parts,), name, position.where, position.field)


def _layer(scope: _Scope, name: str, options: dict[str, Any], keys: Keys) -> LayerSpec:
    nested = _NESTED.get(name, ())
    values = read_fields(scope.source, keys, options, LAYERS[name], (*nested, "repeat", "if"))
    parts: tuple[tuple[LayerSpec, ...], ...] = ()
    if name == "residual":
        parts = (_sequence(scope, options.get("body"), (*keys, "body")),)
        shortcut = scope.fill(options.get("shortcut", "identity"), (*keys, "shortcut"))
        if isinstance(shortcut, list):
            parts = (*parts, _sequence(scope, shortcut, (*keys, "shortcut")))
            shortcut = "layers"
        elif shortcut not in SHORTCUTS:
            allowed = ", ".join(SHORTCUTS)
            scope.source.complain((*keys, "shortcut"), f"{allowed} or a list of layers is expected, got {shortcut!r}")
        values["shortcut"] = shortcut
    elif name == "branches":
        branches = options.get("branches")
        if isinstance(branches, list) and len(branches) > 1:
            parts = tuple(_sequence(scope, branch, (*keys, i)) for i, branch in enumerate(branches))
        else:
            scope.source.complain(keys, "at least two lists of layers are expected")
    elif nested:
        parts = (_sequence(scope, options.get("layers"), (*keys, "layers")),)
    position = scope.source.complaint(keys, "")
    return LayerSpec(name, _frozen(values), parts, name, position.where, position.field)


def _frozen(values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Options with their lists as tuples."""
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in values.items())
