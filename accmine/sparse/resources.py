"""What a layer takes of a device: multipliers, logic, registers, memory blocks, off-chip weights.

Multipliers and memory shapes are those of the vendor's blocks and exact for the layout that is described; logic and
registers are estimates with a band (``EngineModel``).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from accmine.sparse.engine import DEFAULT_MODEL, MICRO, EngineModel, micro
from accmine.sparse.folding import DENSE, Folding
from accmine.sparse.layer import Layer

__all__ = ["DEFAULT_MODEL", "RESOURCES", "EngineModel", "Use", "adapter", "blocks", "used"]

RESOURCES = ("dsp", "lut", "ff", "bram18", "uram", "bits")
"""``bits``: weights read from off chip per image."""

Use = tuple[int, int, int, int, int, int]
"""In the order of ``RESOURCES``."""

BRAM18 = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
"""(width in bits, words) that a block of 18 Kbit can have (UltraScale memory resources, UG573)."""
URAM = ((72, 4096),)
SMALLEST_BLOCK = 1024
"""Bits below which an array is made of LUTs."""


def blocks(depth: int, width: int, shapes: tuple[tuple[int, int], ...]) -> int:
    """Least number of memory blocks of one shape for ``depth`` words of ``width`` bits."""
    return min(-(-width // bits) * -(-depth // words) for bits, words in shapes)


def lut_ram(depth: int, width: int) -> int:
    """LUTs of a small memory: one holds 64 words of a bit, or 32 words of two."""
    return -(-width // 2) if depth <= 32 else width * -(-depth // 64)


def used(layer: Layer, folding: Folding, model: EngineModel) -> Use:
    """What a layer takes in a folding, its adapters excluded."""
    dsp = folding.engines * _dsp(folding, model)
    lut, ff = _logic(layer, folding, model)
    bram, uram, bits = 0, 0, 0
    depth = -(-layer.parameters // folding.multipliers)
    width = folding.fine * model.weight_bits  # the multipliers of an engine read side by side
    if folding.memory == "stream":
        bits = prod(layer.size_out) * layer.parameters * model.weight_bits
    elif depth * width < SMALLEST_BLOCK:
        lut += folding.engines * lut_ram(depth, width)
    elif folding.memory == "bram":
        bram += folding.engines * blocks(depth, width, BRAM18)
    else:
        uram += folding.engines * blocks(depth, width, URAM)
    for number, words in _buffers(layer, folding):
        lut, ff = lut + number * model.buffer_lut, ff + number * model.buffer_ff
        if words * model.data_bits < SMALLEST_BLOCK:
            lut += number * lut_ram(words, model.data_bits)
        else:
            bram += number * blocks(words, model.data_bits, BRAM18)
    return dsp, lut, ff, bram, uram, bits


def _buffers(layer: Layer, folding: Folding) -> Iterator[tuple[int, int]]:
    """(how many, words of each) that hold a map until its window is complete: lines, and positions of the window.

    Channels of a position come one after the other, so that the next position of a row is a word of each channel away.
    """
    rows, columns = layer.kernel
    streams = folding.streams_in(layer)
    channels = layer.channels_in // streams
    yield streams * (rows - 1), layer.size_in[1] * channels
    yield streams * rows * (columns - 1), channels


def _dsp(folding: Folding, model: EngineModel) -> int:
    """DSPs of an engine: ⌈data/18⌉·⌈weight/27⌉ per multiplier; dense ones pack two of 8 bits, four of 4 bits."""
    each = -(-model.data_bits // 18) * -(-model.weight_bits // 27)
    widest = max(model.data_bits, model.weight_bits)
    packed = 1 if folding.engine != DENSE or widest > 8 else 4 if widest <= 4 else 2
    return -(-folding.fine * each // packed)


def _logic(layer: Layer, folding: Folding, model: EngineModel) -> tuple[int, int]:
    """LUTs and FFs of engines, sums, window registers and buffers."""
    pair = model.data_bits + model.weight_bits
    streams = folding.coarse_in * folding.coarse_group
    bits = layer.window * model.data_bits
    chosen, each = 0, micro(model.window_lut_per_bit) * bits if prod(layer.kernel) > 1 else 0
    if folding.engine == DENSE:  # once for all engines of a stream: they take the same turns
        each += micro(model.squeeze_lut_per_bit) * model.data_bits * (layer.window - folding.fine)
    elif layer.window > 1:  # each multiplier takes any product of the window
        chosen = micro(model.crossbar_lut_per_bit) * pair * folding.fine * (layer.window - 1)
        select = micro(model.zero_lut_per_bit) * pair + micro(model.select_lut_per_product) * folding.fine
        chosen += layer.window * select
    tree = (folding.fine - 1) * model.sum_bits
    own = model.engine_lut
    if layer.channels_in > layer.groups * layer.cluster * folding.coarse_in:  # a sum for each output, over channels
        own += lut_ram(layer.channels_out // (layer.groups * folding.coarse_out), model.sum_bits)
    if folding.slack > 1:
        own += lut_ram(folding.slack, bits + model.sum_bits)
    adders = micro(model.tree_lut_per_bit) * tree + micro(model.sum_lut_per_bit) * model.sum_bits
    lut = folding.engines * (MICRO * own + chosen + adders) + streams * each
    held = micro(model.tree_ff_per_bit) * tree + micro(model.window_ff_per_bit) * pair * folding.fine
    ff = folding.engines * (MICRO * model.engine_ff + held) + streams * micro(model.window_ff_per_bit) * bits
    return -(-lut // MICRO), -(-ff // MICRO)


def adapter(streams_out: int, streams_in: int, model: EngineModel) -> tuple[int, int]:
    """LUTs and FFs between a layer that gives and one that takes so many words per cycle; none where they are equal."""
    if streams_out == streams_in:
        return 0, 0
    bits = model.data_bits * (streams_out + streams_in)
    return -(-bits * micro(model.adapter_lut_per_bit) // MICRO), -(-bits * micro(model.adapter_ff_per_bit) // MICRO)
