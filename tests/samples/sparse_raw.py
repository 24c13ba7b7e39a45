"""Designs of sparse dataflows valued once more from the formulas alone, and every one of a small problem.

Only the fields of problems are read; cycles of a window alone are asked for where several engines wait for one another
or channels are dealt to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np

from accmine.problems.sparse_dataflow import Choice, Problem, Solution
from accmine.sparse.folding import Folding
from accmine.sparse.rate import window_cycles

__all__ = ["Raw", "every_choice", "least_interval", "raw"]


@dataclass(frozen=True)
class Raw:
    """What a design is worth, and the budgets that it breaks."""

    interval: int
    use: tuple[int, ...]
    loss: int
    broken: tuple[str, ...]


def raw(problem: Problem, solution: Solution) -> Raw:
    """Value of a design, layer by layer."""
    rows = [_layer(problem, i, own) for i, own in enumerate(solution.choices)]
    use = [sum(row[1][r] for row in rows) for r in range(6)]
    for i, j in problem.edges:
        given, taken = rows[i][3][1], rows[j][3][0]
        if given != taken:
            words = problem.model.data_bits * (given + taken)
            use[1] += ceil(words * problem.model.adapter_lut_per_bit)
            use[2] += ceil(words * problem.model.adapter_ff_per_bit)
    budget = problem.budget
    interval = max(row[0] for row in rows)
    if budget.bits_per_cycle:
        interval = max(interval, ceil(use[5] / budget.bits_per_cycle))
    bits = None if budget.bits_per_cycle is None else int(budget.bits_per_cycle * interval)
    limits = {"dsp": budget.dsp, "lut": budget.lut, "ff": budget.ff, "bram18": budget.bram18, "uram": budget.uram}
    broken = [
        name for (name, most), own in zip((limits | {"bits": bits}).items(), use, strict=True) if _above(own, most)
    ]
    loss = sum(row[2] for row in rows)
    if _above(loss, budget.loss):
        broken.append("loss")
    return Raw(interval, tuple(use), loss, tuple(broken))


def _above(value: int, most: int | None) -> bool:
    return most is not None and value > most


def _layer(problem: Problem, i: int, own: Choice) -> tuple[int, list[int], int, tuple[int, int]]:
    """(cycles, use, loss, streams in and out)."""
    layer, f = problem.layers[i], own.folding
    rows, columns = layer.size_out
    engines = f.coarse_in * f.coarse_out * f.coarse_group
    streams = f.coarse_in * f.coarse_group * layer.cluster, f.coarse_out * f.coarse_group
    windows = Fraction(rows * columns * layer.channels_in * layer.channels_out, layer.groups * layer.cluster * engines)
    level = layer.levels[own.level]
    cycles = max(
        ceil(windows * _mean(problem, i, own)),
        ceil(Fraction(prod(layer.size_in) * layer.channels_in, streams[0])),
        ceil(Fraction(rows * columns * layer.channels_out, streams[1])),
    )
    return cycles, _use(problem, i, f, engines, streams[0]), level.loss, streams


def _mean(problem: Problem, i: int, own: Choice) -> Fraction:
    """Cycles of a window of the slowest stream."""
    layer, f = problem.layers[i], own.folding
    level = layer.levels[own.level]
    window = layer.kernel[0] * layer.kernel[1] * layer.cluster
    if f.engine == "dense":
        return Fraction(window, f.fine)
    shared = Fraction(window_cycles(layer, level, f), 10**6)
    if len(level.histograms) == 1 and f.coarse_in * f.coarse_out * f.coarse_group == 1:
        mean = sum(count * max(1, ceil((window - z) / f.fine)) for z, count in enumerate(level.histograms[0]))
        assert shared == Fraction(mean, 10**6)
    return shared


def _use(problem: Problem, i: int, f: Folding, engines: int, streams_in: int) -> list[int]:
    layer, m = problem.layers[i], problem.model
    window = layer.kernel[0] * layer.kernel[1] * layer.cluster
    pair = m.data_bits + m.weight_bits
    per = ceil(m.data_bits / 18) * ceil(m.weight_bits / 27)
    packed = {True: 4, False: 2}[max(m.data_bits, m.weight_bits) <= 4] if max(m.data_bits, m.weight_bits) <= 8 else 1
    dsp = engines * (f.fine * per if f.engine == "sparse" else ceil(f.fine * per / packed))
    tree = (f.fine - 1) * m.sum_bits
    lut = Fraction(m.engine_lut) + Fraction(m.tree_lut_per_bit) * tree + Fraction(m.sum_lut_per_bit) * m.sum_bits
    each = Fraction(0)
    if f.engine == "sparse" and window > 1:
        lut += Fraction(str(m.crossbar_lut_per_bit)) * pair * f.fine * (window - 1)
        lut += Fraction(str(m.zero_lut_per_bit)) * pair * window
        lut += Fraction(str(m.select_lut_per_product)) * window * f.fine
    if f.engine == "dense":
        each += Fraction(str(m.squeeze_lut_per_bit)) * m.data_bits * (window - f.fine)
    if layer.kernel != (1, 1):
        each += Fraction(str(m.window_lut_per_bit)) * m.data_bits * window
    if layer.channels_in // layer.groups // layer.cluster // f.coarse_in > 1:
        lut += _ram(layer.channels_out // layer.groups // f.coarse_out, m.sum_bits)
    if f.slack > 1:
        lut += _ram(f.slack, window * m.data_bits + m.sum_bits)
    ff = engines * (m.engine_ff + Fraction(m.tree_ff_per_bit) * tree + Fraction(m.window_ff_per_bit) * pair * f.fine)
    ff += f.coarse_in * f.coarse_group * window * m.data_bits * Fraction(m.window_ff_per_bit)
    total, bram, uram, bits = ceil(engines * lut + f.coarse_in * f.coarse_group * each), 0, 0, 0
    weights = layer.kernel[0] * layer.kernel[1] * layer.channels_in * layer.channels_out // layer.groups
    depth, width = ceil(Fraction(weights, engines * f.fine)), f.fine * m.weight_bits
    if f.memory == "stream":
        bits = prod(layer.size_out) * weights * m.weight_bits
    elif depth * width < 1024:
        total += engines * _ram(depth, width)
    elif f.memory == "bram":
        bram += engines * _bram(depth, width)
    else:
        uram += engines * ceil(width / 72) * ceil(depth / 4096)
    channels = layer.channels_in // streams_in
    waiting = [layer.size_in[1] * channels] * (layer.kernel[0] - 1)
    waiting += [channels] * (layer.kernel[0] * (layer.kernel[1] - 1))
    for words in waiting:
        total, ff = total + streams_in * m.buffer_lut, ff + streams_in * m.buffer_ff
        if words * m.data_bits < 1024:
            total += streams_in * _ram(words, m.data_bits)
        else:
            bram += streams_in * _bram(words, m.data_bits)
    return [dsp, total, ceil(ff), bram, uram, bits]


def _ram(depth: int, width: int) -> int:
    return ceil(width / 2) if depth <= 32 else width * ceil(depth / 64)


def _bram(depth: int, width: int) -> int:
    shapes = {1: 16384, 2: 8192, 4: 4096, 9: 2048, 18: 1024, 36: 512}
    return min(ceil(width / bits) * ceil(depth / words) for bits, words in shapes.items())


def every_choice(problem: Problem, i: int) -> Iterator[Choice]:
    """All levels and foldings of a layer."""
    layer = problem.layers[i]
    window = layer.kernel[0] * layer.kernel[1] * layer.cluster
    numbers = layer.channels_in // layer.groups // layer.cluster, layer.channels_out // layer.groups, layer.groups
    coarse = product(*([d for d in range(1, n + 1) if n % d == 0] for n in numbers))
    for (ci, co, cg), engine, memory in product(list(coarse), problem.engines, problem.memories):
        fine = [n for n in range(1, window + 1) if engine == "sparse" or window % n == 0]
        for f, slack in product(fine, problem.slacks if engine == "sparse" else (1,)):
            for level in range(len(layer.levels)):
                yield Choice(level, Folding(engine, ci, co, cg, f, memory, slack))


def least_interval(problem: Problem) -> tuple[int, int | None]:
    """(number of designs, interval of the best one, ``None``: none fits), over all designs at once."""
    rows = [[_layer(problem, i, own) for own in every_choice(problem, i)] for i in range(len(problem.layers))]
    count, layers = [len(own) for own in rows], len(rows)

    def along(i: int, values: list[Any]) -> Any:
        return np.array(values, dtype=np.int64).reshape([-1 if k == i else 1 for k in range(layers)])

    slowest = np.zeros(count, dtype=np.int64)
    total = [np.zeros(count, dtype=np.int64) for _ in range(7)]
    for i, own in enumerate(rows):
        slowest = np.maximum(slowest, along(i, [row[0] for row in own]))
        for r in range(6):
            total[r] = total[r] + along(i, [row[1][r] for row in own])
        total[6] = total[6] + along(i, [row[2] for row in own])
    for i, j in problem.edges:
        given, taken = along(i, [row[3][1] for row in rows[i]]), along(j, [row[3][0] for row in rows[j]])
        words = np.where(given == taken, 0, problem.model.data_bits * (given + taken))
        total[1] = total[1] + np.ceil(words * problem.model.adapter_lut_per_bit).astype(np.int64)
        total[2] = total[2] + np.ceil(words * problem.model.adapter_ff_per_bit).astype(np.int64)
    own_budget = problem.budget
    fits = np.ones(count, dtype=bool)
    names = ("dsp", "lut", "ff", "bram18", "uram", "", "loss")
    for r, name in enumerate(names):
        if name and (most := getattr(own_budget, name)) is not None:
            fits &= total[r] <= most
    if (rate := own_budget.bits_per_cycle) is not None:
        if rate:
            slowest = np.maximum(slowest, -(-total[5] * rate.denominator // rate.numerator))
        else:
            fits &= total[5] == 0
    return prod(count), int(slowest[fits].min()) if fits.any() else None
