"""Layers of a layered model and their plain options: what each may be, and its default.

``accmine.workload.importers.layer_list`` says what they mean.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from accmine.files import did_you_mean
from accmine.workload.importers.values import LARGEST, Flag, Part, Rate, Size

__all__ = ["ACTIVATIONS", "LAYERS", "SHORTCUTS"]

ACTIVATIONS = ("relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid")
"""Element-wise layers."""

SHORTCUTS = ("identity", "projection", "auto", "same")
"""Words for the shortcut of a residual."""


def _sizes(least: int, *lengths: int, words: str, name: str = "") -> BeforeValidator:
    """One whole number from ``least``, a list of one of ``lengths`` as a tuple, or ``name``."""

    def read(value: Any) -> Any:
        if name and value == name:
            return value
        many = isinstance(value, list) and len(value) in lengths
        for size in value if many else (value,):
            if type(size) is not int or not least <= size <= LARGEST:
                raise ValueError(f"must be {words}, numbers from {least} to {LARGEST}; got {value!r}")
        return tuple(value) if many else value

    return BeforeValidator(read)


def _word(names: tuple[str, ...], more: str = "") -> BeforeValidator:
    def read(value: Any) -> Any:
        if value not in names:
            hint = did_you_mean(str(value), names)
            raise ValueError(f"must be one of {', '.join(names)}{more}, got {value!r}; {hint}".rstrip("; "))
        return value

    return BeforeValidator(read)


_Pair = int | tuple[int, ...]
_Window = Annotated[_Pair, _sizes(1, 2, words="a whole number or [height, width]")]
_Padding = Annotated[_Pair, _sizes(0, 2, words="a whole number or [height, width]")]
_Activation = Annotated[str, _word(ACTIVATIONS)]
_BORDER = "a whole number, [height, width], [top, bottom, left, right] or same"


class _Plain(Part):
    """A layer without options."""


class _Conv(Part):
    out: Size
    kernel: _Window
    stride: _Window = 1
    padding: Annotated[_Pair | str, _sizes(0, 2, 4, words=_BORDER, name="same")] = 0
    dilation: _Window = 1
    groups: Annotated[int | str, _sizes(1, words="a whole number or depthwise", name="depthwise")] = 1
    bias: Flag = True


class _Linear(Part):
    out: Size
    bias: Flag = True


class _Pool(Part):
    kernel: _Window
    stride: _Window | None = None
    padding: _Padding = 0
    ceil: Flag = False


class _AdaptivePool(Part):
    size: _Window


class _Dropout(Part):
    rate: Rate


class _SqueezeExcite(Part):
    width: Size
    activation: _Activation = "relu"
    gate: _Activation = "hardsigmoid"


class _Residual(Part):
    shortcut: Annotated[str, _word(SHORTCUTS, " or a list of layers")] = "identity"


class _Auxiliary(Part):
    weight: Annotated[float, Field(strict=True, gt=0)] = 1.0


LAYERS: dict[str, type[Part]] = {
    "conv": _Conv,
    "linear": _Linear,
    "batch-norm": _Plain,
    "layer-norm": _Plain,
    **dict.fromkeys(ACTIVATIONS, _Plain),
    "max-pool": _Pool,
    "avg-pool": _Pool,
    "adaptive-avg-pool": _AdaptivePool,
    "global-avg-pool": _Plain,
    "dropout": _Dropout,
    "flatten": _Plain,
    "squeeze-excite": _SqueezeExcite,
    "residual": _Residual,
    "branches": _Plain,
    "auxiliary": _Auxiliary,
    "unit": _Plain,
}
"""Every layer and its plain options; layers within layers are read apart."""
