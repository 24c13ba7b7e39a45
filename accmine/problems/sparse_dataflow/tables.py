"""Cycles of a window and resources of all foldings of a layer at once: the formulas of ``accmine.sparse`` on arrays.

Written a second time on purpose: ``check`` uses the scalar ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow.problem import Problem
from accmine.sparse.engine import MICRO, micro
from accmine.sparse.folding import DENSE, SPARSE
from accmine.sparse.layer import PARTS, Histogram, Layer, Level
from accmine.sparse.resources import BRAM18, SMALLEST_BLOCK, URAM, EngineModel
from accmine.sparse.stalls import waiting_table

__all__ = ["use_table", "window_table"]

Ints = npt.NDArray[np.int64]


def window_table(problem: Problem, layer: Layer, rows: Ints) -> Ints:
    """Cycles of a window in ``PARTS``; shape (levels, foldings)."""
    found = np.empty((len(layer.levels), len(rows)), dtype=np.int64)
    engine, _, ci, co, cg, fine, slack = rows.T
    dense = engine == (problem.engines.index(DENSE) if DENSE in problem.engines else -1)
    found[:, dense] = PARTS * layer.window // fine[dense]
    sparse = np.flatnonzero(~dense)
    if SPARSE not in problem.engines or not len(sparse):
        return found
    for alone in {len(level.histograms) == 1 for level in layer.levels}:
        of = [fine, *((ci * 0, cg * 0) if alone else (ci, cg)), slack, ci * co * cg]  # dealing matters where not alone
        keys, place = _distinct([column[sparse] for column in of])
        groups = _alike(keys)
        for i, level in enumerate(layer.levels):
            if (len(level.histograms) == 1) == alone:
                found[i, sparse] = np.concatenate([_cycles(layer, level, own) for own in groups])[place]
    return found


def _distinct(columns: list[Ints]) -> tuple[Ints, Ints]:
    """(different rows of the columns side by side, which one each row is)."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, own = np.unique(column, return_inverse=True)
        code = code * (int(own.max()) + 1) + own
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return np.column_stack([column[first] for column in columns]), place


@dataclass(frozen=True)
class _Waiting:
    """Sparse foldings with the same multipliers and dealing: slacks, engines, and which of both each has."""

    fine: int
    coarse_in: int
    coarse_group: int
    slacks: list[int]
    engines: Ints
    at: tuple[Ints, Ints]


def _alike(keys: Ints) -> list[_Waiting]:
    """Rows of (fine, coarse_in, coarse_group, slack, engines) in order; 0 for the coarse ones where none is dealt."""
    first = np.flatnonzero(np.any(np.diff(keys[:, :3], axis=0, prepend=-1) != 0, axis=1))
    found = []
    for own in np.split(keys, first[1:]):
        slacks, slack = np.unique(own[:, 3], return_inverse=True)
        engines, engine = np.unique(own[:, 4], return_inverse=True)
        fine, ci, cg = own[0, :3].tolist()
        found.append(_Waiting(fine, ci, cg, slacks.tolist(), engines, (slack, engine)))
    return found


def _cycles(layer: Layer, level: Level, own: _Waiting) -> Ints:
    histogram = level.histograms[0]
    if own.coarse_in:
        histogram = _slowest(layer, level, own.fine, own.coarse_in, own.coarse_group)
    return waiting_table(histogram, own.fine, own.engines, own.slacks)[own.at]


def _slowest(layer: Layer, level: Level, fine: int, coarse_in: int, coarse_group: int) -> Histogram:
    """Average histogram of the stream that takes longest, channels and groups dealt in a snake order."""
    own = np.array(level.histograms, dtype=np.int64)
    turns = np.maximum(1, -(-np.arange(layer.window, -1, -1) // fine))
    costs = (own @ turns).reshape(layer.groups, -1)
    channels = np.arange(len(own)).reshape(costs.shape)
    streams = []
    for turn in _dealt(costs.sum(axis=1), coarse_group):
        if coarse_in == 1:
            streams.append(channels[turn].reshape(1, -1))
            continue
        parts, held = [], np.zeros(coarse_in, dtype=np.int64)
        for g in turn:
            dealt = _dealt(costs[g], coarse_in)
            sums = costs[g][dealt].sum(axis=1)
            most, least = np.argsort(-sums, kind="stable"), np.argsort(held, kind="stable")
            part = np.empty_like(dealt)
            part[least] = channels[g][dealt[most]]
            held[least] += sums[most]
            parts.append(part)
        streams.append(np.concatenate(parts, axis=1))
    every = np.concatenate(streams)
    slowest = every[costs.reshape(-1)[every].sum(axis=1).argmax()]
    reached = -(-own[slowest].sum(axis=0).cumsum() // len(slowest))
    return tuple(np.diff(reached, prepend=0).tolist())


def _dealt(costs: Ints, hands: int) -> Ints:
    """Indices, shape (hands, their number / hands)."""
    order = np.lexsort((np.arange(len(costs)), -costs)).reshape(-1, hands)
    order[1::2] = order[1::2, ::-1]
    return order.T


def use_table(problem: Problem, layer: Layer, rows: Ints) -> Ints:
    """What foldings take, in the order of ``RESOURCES``; shape (foldings, 6)."""
    model = problem.model
    engine, memory, ci, co, cg, fine, _ = rows.T
    engines = ci * co * cg
    dense = engine == (problem.engines.index(DENSE) if DENSE in problem.engines else -1)
    dsp = engines * _dsp(model, dense, fine)
    lut, ff = _logic(model, layer, dense, rows)
    depth, width = -(-layer.parameters // (engines * fine)), fine * model.weight_bits
    at = {name: memory == i for i, name in enumerate(problem.memories)}
    none = np.zeros(len(rows), dtype=bool)
    stream = at.get("stream", none)
    bits = np.where(stream, prod(layer.size_out) * layer.parameters * model.weight_bits, 0)
    small = ~stream & (depth * width < SMALLEST_BLOCK)
    lut = lut + np.where(small, engines * _lut_ram(depth, width), 0)
    large = ~stream & ~small
    bram = np.where(large & at.get("bram", none), engines * _blocks(depth, width, BRAM18), 0)
    uram = np.where(large & at.get("uram", none), engines * _blocks(depth, width, URAM), 0)
    streams, data = ci * cg * layer.cluster, np.full(len(rows), model.data_bits)
    channels, (down, across) = layer.channels_in // streams, layer.kernel
    for number, words in (
        (streams * (down - 1), layer.size_in[1] * channels),
        (streams * down * (across - 1), channels),
    ):
        lut, ff = lut + number * model.buffer_lut, ff + number * model.buffer_ff
        short = words * model.data_bits < SMALLEST_BLOCK
        lut = lut + np.where(short, number * _lut_ram(words, data), 0)
        bram = bram + np.where(short, 0, number * _blocks(words, data, BRAM18))
    return np.column_stack([dsp, lut, ff, bram, uram, bits]).astype(np.int64)


def _blocks(depth: Ints, width: Ints, shapes: tuple[tuple[int, int], ...]) -> Ints:
    found: Ints = np.min([-(-width // bits) * -(-depth // words) for bits, words in shapes], axis=0)
    return found


def _lut_ram(depth: Ints, width: Ints) -> Ints:
    found: Ints = np.where(depth <= 32, -(-width // 2), width * -(-depth // 64))
    return found


def _dsp(model: EngineModel, dense: npt.NDArray[np.bool_], fine: Ints) -> Ints:
    each = -(-model.data_bits // 18) * -(-model.weight_bits // 27)
    widest = max(model.data_bits, model.weight_bits)
    packed = 1 if widest > 8 else 4 if widest <= 4 else 2
    return -(-fine * each // np.where(dense, packed, 1))


def _logic(model: EngineModel, layer: Layer, dense: npt.NDArray[np.bool_], rows: Ints) -> tuple[Ints, Ints]:
    """LUTs and FFs, in whole millionths until the end."""
    _, _, ci, co, cg, fine, slack = rows.T
    engines, pair = ci * co * cg, model.data_bits + model.weight_bits
    bits = layer.window * model.data_bits
    each = micro(model.window_lut_per_bit) * bits if prod(layer.kernel) > 1 else 0
    squeeze = micro(model.squeeze_lut_per_bit) * model.data_bits * (layer.window - fine)
    shared = ci * cg * (each + np.where(dense, squeeze, 0))
    crossbar = micro(model.crossbar_lut_per_bit) * pair * fine * (layer.window - 1)
    select = micro(model.zero_lut_per_bit) * pair + micro(model.select_lut_per_product) * fine
    crossbar = (crossbar + layer.window * select) * (layer.window > 1)
    tree = (fine - 1) * model.sum_bits
    sums = _lut_ram(layer.channels_out // (layer.groups * co), np.full(len(rows), model.sum_bits))
    wide = np.full(len(rows), bits + model.sum_bits)
    own = model.engine_lut + np.where(layer.channels_in > layer.groups * layer.cluster * ci, sums, 0)
    own = own + np.where(slack > 1, _lut_ram(slack, wide), 0)
    lut = MICRO * own + np.where(dense, 0, crossbar) + micro(model.tree_lut_per_bit) * tree
    lut = engines * (lut + micro(model.sum_lut_per_bit) * model.sum_bits) + shared
    kept = micro(model.window_ff_per_bit)
    ff = engines * (MICRO * model.engine_ff + micro(model.tree_ff_per_bit) * tree + kept * pair * fine)
    return -(-lut // MICRO), -(-(ff + ci * cg * kept * bits) // MICRO)
