"""The suite ``gemmini``: kernels of a described Gemmini against cycles of its RTL (FireSim), layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from accmine.cost import read_lines
from accmine.cost.kernel.firesim import DIMENSIONS, Layer, array_of, calls_of, layer_kernel
from accmine.errors import InputError
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency

__all__ = [
    "EVERY",
    "FILES",
    "FROM",
    "GEMMINI",
    "fitted_on",
    "gemmini_lines",
    "gemmini_rows",
    "layer_cycles",
    "read_layers",
]

GEMMINI = "gemmini"
FILES = {GEMMINI: ("gemmini_firesim.csv",)}
DESCRIPTION = "gemmini-like"
SOURCE = "Gemmini RTL on FireSim, ucb-bar/dosa @a7a3239"

MAPE_AT_MOST, RANK_AT_LEAST = 0.15, 0.98
"""Of all rows. DOSA's own analytical model: 26 % and 0.971 on its 222 test rows."""
EVERY, FROM = 32, 16

_MOST = 1e9
_ALL, _HELD, _FITTED = "cycles, all layers", "cycles, layers that were not fitted on", "cycles, layers fitted on"


def read_layers(path: Path) -> list[tuple[Layer, float]]:
    """(layer, cycles of the RTL) of every row of a table with DOSA's columns.

    Raises
    ------
    InputError
        With the line that is no row.
    """
    layers = []
    for number, cells in read_lines(path):
        try:
            sizes = {name: int(cells[name]) for name in DIMENSIONS}
            stride, cycles = int(cells["Hstride"]), float(cells["rtl_cycles"])
            if min(*sizes.values(), stride) < 1 or not 1 <= cycles < _MOST * _MOST:
                raise ValueError("sizes, stride and cycles must be at least 1")
            layer = Layer(sizes, stride, cells["mapping"])
            calls_of(layer)  # the mapping is read while its line is known
            layers.append((layer, cycles))
        except (KeyError, ValueError, InputError) as error:
            raise InputError(f"is no row of layers and cycles: {error}", where=f"{path}:{number}") from None
    return layers


def fitted_on(layers: Sequence[Layer], first: int = FROM) -> list[int]:
    """Rows on which the constants of the description were fitted: every 32nd by kind, array and calls, from the 17th.

    The order looks at layers and mappings alone, not at cycles. ``first`` (from 0) takes others of it.
    """
    order = sorted(
        range(len(layers)), key=lambda i: (layers[i].is_product, array_of(layers[i]), calls_of(layers[i]), i)
    )
    return sorted(order[first::EVERY])


@cache
def _described(dim: int) -> Architecture:
    return load_architecture(DESCRIPTION, parameters={"dim": dim})


def layer_cycles(layer: Layer) -> int:
    """Exact latency of the kernel of a layer on the description, with the array that runs it."""
    return latency(resolve(_described(array_of(layer)), layer_kernel(layer)))


def _kind(layer: Layer) -> str:
    size = layer.sizes["R"]
    return (
        "products" if layer.is_product else f"convolutions {size} x {size}" if size in (1, 3) else "other convolutions"
    )


def gemmini_rows(suite: str, data: Path) -> list[dict[str, Any]]:
    """Every comparison, as ``accmine.questions.accuracy.suites.rows`` describes them; ``ok`` is ``None``."""
    layers = read_layers(data / FILES[suite][0])
    fitted = set(fitted_on([layer for layer, _ in layers]))
    rows = []
    for i, (layer, cycles) in enumerate(layers):
        model = layer_cycles(layer)
        sizes = " ".join(f"{name}{size}" for name, size in layer.sizes.items())
        row: dict[str, Any] = {
            "name": f"{sizes} stride {layer.stride} {layer.mapping}",
            "quantity": f"cycles, {_kind(layer)}",
        }
        row |= {"model": model, "published": cycles, "ratio": model / cycles, "at_least": 0.0, "at_most": _MOST}
        rows.append({**row, "ok": None, "source": SOURCE, "fitted": i in fitted})
    return rows


def gemmini_lines(suite: str, entries: Sequence[dict[str, Any]], line: Any) -> list[dict[str, Any]]:
    """The summary: all rows, which are judged; those not fitted on, those fitted on, and each kind of layer."""
    whole = line(suite, _ALL, entries, MAPE_AT_MOST)
    whole["ok"] = bool(whole["ok"] and whole["rank"] is not None and whole["rank"] >= RANK_AT_LEAST)
    groups = {_HELD: [e for e in entries if not e["fitted"]], _FITTED: [e for e in entries if e["fitted"]]}
    for quantity in sorted({entry["quantity"] for entry in entries}):
        groups[quantity] = [entry for entry in entries if entry["quantity"] == quantity]
    return [whole, *(line(suite, quantity, group, None) for quantity, group in groups.items() if group)]
