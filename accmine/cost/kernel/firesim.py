"""Kernels of layers under an explicit mapping in DOSA's notation, as its FireSim runs of Gemmini execute them.

A mapping reads ``L3[WIO] K8 Q28 - L2[WI] K4X - L1[O] K2 S7 R7 Q4 P7 C3X - L0[W] P16``: loops over tiles from DRAM,
outermost first, then the factors of a tile by level; ``X`` is spatial. What of it the runs execute was read in the
programs that made them (ucb-bar/dosa and its test generator) and confirmed on the cycles:

- Images are square: a layer with P ≠ Q runs with Q = P; a filter of even size makes one more row and column.
- The array has the least power of two of rows and columns that holds both spatial factors, whatever the table says.
- A product (Q = R = S = 1) runs in blocks of the array: a tile of T elements becomes max(1, T // 16) blocks.
- A block takes a cycle per row of its inputs, at least 4 (ExecuteController of the RTL); weights of the next one enter
  meanwhile. Blocks are as wide and deep as the array, whatever part of it the mapping names.
- Outputs leave the accumulator in the last iteration of the loops over C, R and S.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from accmine.errors import InputError
from accmine.kernel.architecture import Instruction, Kernel, Loop, Operand

__all__ = ["DIMENSIONS", "Layer", "Tile", "array_of", "calls_of", "layer_kernel", "tile_of"]

DIMENSIONS = "CKNPQRS"
_LEVEL = re.compile(r"L(\d)\[([WIO]+)\] (.*)\Z")
_FACTOR = re.compile(rf"([{DIMENSIONS}])([1-9]\d*)(X?)\Z")
_REDUCED = "CRS"

LINE_BYTES, CACHE_BYTES = 64, 512 * 1024
"""Requests and cache lines; the level-two cache of Chipyard's default system."""
PAGE_BYTES, TLB_PAGES = 4096, 512
"""The second-level TLB of the same; the first has 4 entries, so every page of weights is looked up in the second."""
LEAST_ROWS = 4
"""Cycles of a block with fewer rows."""

Sizes = dict[str, int]
Body = tuple[Instruction | Loop, ...]


@dataclass(frozen=True)
class Layer:
    """A layer of one image, and its mapping.

    Attributes
    ----------
    sizes
        Dimension -> size: channels C and K, images N, outputs P × Q, filter R × S.
    stride
        Of rows and columns.
    mapping
        In DOSA's notation.
    """

    sizes: Mapping[str, int]
    stride: int
    mapping: str

    @property
    def is_product(self) -> bool:
        """Whether it runs as a product of matrices."""
        return self.sizes["Q"] == self.sizes["R"] == self.sizes["S"] == 1


def _ceil(a: float, b: float) -> int:
    return int(-(-a // b))


def _levels(mapping: str) -> dict[int, list[tuple[str, int, bool]]]:
    """Level -> (dimension, factor, whether spatial), in the order of the text."""
    levels: dict[int, list[tuple[str, int, bool]]] = {}
    for text in mapping.split(" - "):
        level = _LEVEL.match(text)
        if level is None:
            raise InputError(f"{text!r} is no level of a mapping; allowed: like L3[WIO] K8 Q28")
        factors = [_FACTOR.match(word) for word in level[3].split()]
        if None in factors:
            raise InputError(f"{level[3]!r} has a factor that is none; allowed: C, K, N, P, Q, R or S, a number, X")
        levels[int(level[1])] = [(f[1], int(f[2]), bool(f[3])) for f in factors if f is not None]
    if sorted(levels) != [0, 1, 2, 3]:
        raise InputError(f"a mapping has levels L3, L2, L1 and L0, got {mapping!r}")
    return levels


def _spatial(levels: dict[int, list[tuple[str, int, bool]]]) -> tuple[int, int]:
    """(C, K) on the array."""
    found = {name: n for level in (1, 2) for name, n, spatial in levels[level] if spatial}
    return found.get("C", 1), found.get("K", 1)


def array_of(layer: Layer) -> int:
    """Rows and columns of the array that runs it: a power of two, at least 2."""
    most = max(_spatial(_levels(layer.mapping)))
    return int(max(2, 1 << (most - 1).bit_length()))


def calls_of(layer: Layer) -> int:
    """Tiles that the host issues."""
    return _nest(layer, _levels(layer.mapping), array_of(layer)).calls


@dataclass(frozen=True)
class _Nest:
    """Loops over tiles as they run.

    Attributes
    ----------
    whole, tile
        Sizes of the layer, and of a tile of it.
    loops
        (dimension, trips), outermost first.
    """

    whole: Sizes
    tile: Sizes
    loops: tuple[tuple[str, int], ...]

    @property
    def calls(self) -> int:
        return prod(trips for _, trips in self.loops)


def _nest(layer: Layer, levels: dict[int, list[tuple[str, int, bool]]], dim: int) -> _Nest:
    whole, tile = dict(layer.sizes), dict.fromkeys(DIMENSIONS, 1)
    for level in (0, 1, 2):
        for name, factor, _ in levels[level]:
            tile[name] *= factor
    for name, factor, _ in levels[3]:
        if tile[name] * factor != whole[name] and name != "Q":
            raise InputError(f"{name}: {factor} tiles of {tile[name]} are not {whole[name]}: {layer.mapping!r}")
    if layer.is_product:
        for name in "PCK":
            tile[name] = min(max(1, tile[name] // 16) * dim, whole[name])
    else:
        whole["P"] = whole["Q"] = whole["P"] + (layer.sizes["R"] % 2 == 0)
    trips = {name: _ceil(whole[name], tile[name]) for name in DIMENSIONS}
    order = [name for name, factor, _ in levels[3] if factor > 1]
    outer = [name for name in reversed("CRSKPQN") if name not in order]
    return _Nest(whole, tile, tuple((name, trips[name]) for name in (*outer, *order) if trips[name] > 1))


def _touched(sizes: Mapping[str, float], whole: Sizes, stride: int, unit: int) -> tuple[float, float, float]:
    """Lines or pages of ``unit`` bytes with inputs, weights and outputs of a part of a layer; a byte per element."""

    def of(rows: float, width: float, pitch: int) -> float:
        return min(rows * _ceil(width, unit), max(1.0, rows * pitch / unit))

    columns, lines = ((sizes[d] - 1) * stride + sizes[f] for d, f in (("P", "R"), ("Q", "S")))
    return (
        of(columns * lines, sizes["C"], whole["C"]),
        of(sizes["R"] * sizes["S"] * sizes["C"], sizes["K"], whole["K"]),
        of(sizes["P"] * sizes["Q"], sizes["K"], whole["K"]),
    )


def _missed(nest: _Nest, stride: int, unit: int, capacity: int) -> tuple[float, float]:
    """Misses on inputs and weights per call, by reuse distance.

    What the innermost loops touch together stays while it fits; the loop around them still finds what it shares with
    its iteration before.
    """
    sizes: dict[str, float] = dict(nest.tile)
    touched, inside = _touched(sizes, nest.whole, stride, unit), len(nest.loops)
    while inside and sum(touched) <= capacity:
        inside -= 1
        name, trips = nest.loops[inside]
        sizes[name] = min(sizes[name] * trips, nest.whole[name])
        touched = _touched(sizes, nest.whole, stride, unit)
    calls = prod(trips for _, trips in nest.loops[inside:])
    return touched[0] / calls, touched[1] / calls


@dataclass(frozen=True)
class Tile:
    """What the host issues, again and again.

    Attributes
    ----------
    calls
        How often.
    finished
        Calls after which outputs leave.
    call, store
        Instructions of a call, and of the outputs that leave; edge tiles count as the mean of all.
    """

    calls: int
    finished: int
    call: tuple[Instruction, ...]
    store: tuple[Instruction, ...]


def _work(mean: Mapping[str, float], dim: int, product: bool) -> dict[str, int]:
    """Blocks of a tile, and cycles in which their rows enter."""
    folds = _ceil(mean["K"], dim) * _ceil(mean["C"], dim) * mean["R"] * mean["S"] * mean["Q"]
    full, rest = divmod(_ceil(mean["P"], dim) * dim if product else mean["P"], dim)  # products are padded to blocks
    rows = full * max(dim, LEAST_ROWS) + (max(rest, LEAST_ROWS) if rest else 0)
    return {"blocks": round(folds * _ceil(mean["P"], dim)), "rows": round(folds * rows)}


def _tile(layer: Layer, nest: _Nest, dim: int) -> Tile:
    mean = {name: nest.whole[name] / _ceil(nest.whole[name], nest.tile[name]) for name in DIMENSIONS}
    product, stride = layer.is_product, layer.stride
    in_rows = ((mean["P"] - 1) * stride + mean["R"]) * ((mean["Q"] - 1) * stride + mean["S"])
    weight_rows, out_rows = mean["R"] * mean["S"] * mean["C"], mean["P"] * mean["Q"]
    lines, _ = _missed(nest, stride, LINE_BYTES, CACHE_BYTES // LINE_BYTES)
    _, pages = _missed(nest, stride, PAGE_BYTES, TLB_PAGES)
    _, looked_up, _ = _touched(mean, nest.whole, stride, PAGE_BYTES)
    kind = {"conv": int(not product), "ws": int(product)}
    command, sums = Operand("commands", "tile"), Operand("accumulator", "sums")
    inputs, weights = Operand("scratchpad", "inputs"), Operand("scratchpad", "weights")

    def moved(rows: float, width: float) -> dict[str, int]:
        return {"requests": round(rows * _ceil(width, LINE_BYTES)), "bytes": round(rows * width)}

    of_inputs = {**kind, **moved(in_rows, mean["C"]), "lines": round(1000 * lines), "pages": 0, "walks": 0}
    of_weights = {**kind, **moved(weight_rows, mean["K"]), "lines": 0}
    of_weights |= {"pages": round(1000 * looked_up), "walks": round(1000 * pages)}
    call = (
        Instruction("loop_ws" if product else "loop_conv", writes=(command,), values={"first": 0, **kind}),
        Instruction("mvin", (command,), (inputs,), values=of_inputs, label="mvin inputs"),
        Instruction("mvin", (command,), (weights,), values=of_weights, label="mvin weights"),
        Instruction("compute", (inputs, weights), (sums,), values=_work(mean, dim, product)),
    )
    reduced = prod(trips for name, trips in nest.loops if name in _REDUCED)
    store = Instruction("mvout", (sums,), values=moved(out_rows, mean["K"]))
    return Tile(nest.calls, nest.calls // reduced, call, (store,))


def tile_of(layer: Layer) -> Tile:
    """The tile of a layer, as ``layer_kernel`` repeats it.

    Raises
    ------
    InputError
        If the mapping cannot be read, or does not cover the layer.
    """
    dim = array_of(layer)
    return _tile(layer, _nest(layer, _levels(layer.mapping), dim), dim)


def layer_kernel(layer: Layer, name: str = "layer") -> Kernel:
    """The kernel of a layer for ``configs/kernels/gemmini-like.yaml`` with ``dim`` of ``array_of``.

    Raises
    ------
    InputError
        If the mapping cannot be read, or does not cover the layer.
    """
    levels, dim = _levels(layer.mapping), array_of(layer)
    nest = _nest(layer, levels, dim)
    tile = _tile(layer, nest, dim)
    begin = Instruction("begin", values={"first": 1, "conv": 0, "ws": 0})
    return Kernel(name, (begin, *_loops(nest.loops, tile.call, tile.store, True)))


def _loops(loops: tuple[tuple[str, int], ...], call: Body, store: Body, last: bool) -> Body:
    """Loops over tiles; of those over C, R and S the last iteration stands apart, because outputs leave in it."""
    if not loops:
        return call + store if last else call
    (name, trips), rest = loops[0], loops[1:]
    if last and name in _REDUCED:
        return (Loop(trips - 1, _loops(rest, call, store, False), name), *_loops(rest, call, store, True))
    return (Loop(trips, _loops(rest, call, store, last), name),)
