"""Constants of ``configs/kernels/gemmini-like.yaml`` from a few measured layers, chosen on those layers alone.

The constants minimise sum(2 s² (√(1 + (r/s)²) − 1)) + pull² · sum(d²): r is the logarithm of modelled ÷ measured cycles of a
row, d that of a constant ÷ its round value, s the ``scale`` from which on an error counts by its size and no longer by
its square. The model is the closed form of the kernel: start + calls × the slowest of issue, load, compute and store +
the rest of one tile; its exact latency differs from it by less than 2 %. ``pull`` and ``scale`` are those of ``GRID``
with the smallest mean error in cross-validation within the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.cost.kernel.firesim import Layer, tile_of
from accmine.errors import InputError

__all__ = ["FIXED", "GRID", "ROUND", "Fit", "Work", "chosen", "closed_form", "cross_validated", "fit", "work_of"]

FloatArray = npt.NDArray[np.float64]

ROUND: Mapping[str, float] = {
    "start": 500.0,
    "conv_issue": 250.0,
    "ws_issue": 125.0,
    "conv_request": 1.0,
    "conv_byte": 1 / 8,
    "ws_byte": 1 / 16,
    "line_miss": 5.0,
    "page": 5.0,
    "page_walk": 20.0,
    "block": 1 / 4,
}
"""Constants that are fitted, with the round values to which they are pulled; cycles."""
FIXED: Mapping[str, float] = {"ws_request": 1.0, "out_request": 1.0, "out_byte": 1 / 16}
"""Constants of the RTL; cycles."""
GRID = tuple((pull, scale) for pull in (0.05, 0.1, 0.2, 0.4) for scale in (0.1, 0.2, 0.4))
"""(pull, scale) to choose from."""

_FOLDS, _DRAWS = 7, 4
_STEP, _STEPS = 1e-5, 200
_LEAST = 1e-13


@dataclass(frozen=True)
class Work:
    """What the tiles of layers do.

    Attributes
    ----------
    values
        Name -> an array of shape (layers,): ``calls``, ``finished`` calls (those that store), ``conv`` (1 or 0), per
        tile ``requests``, ``bytes``, ``lines``, ``pages``, ``walks``, ``blocks``, ``rows``, and of outputs
        ``out_requests`` and ``out_bytes``.
    """

    values: Mapping[str, FloatArray]

    def take(self, rows: npt.ArrayLike) -> Work:
        """Some of the layers."""
        index = np.asarray(rows, dtype=np.int64)
        return Work({name: column[index] for name, column in self.values.items()})


@dataclass(frozen=True)
class Fit:
    """Constants, and how they were chosen.

    Attributes
    ----------
    constants
        Those of ``ROUND``; cycles.
    pull, scale
        Of ``GRID``.
    errors
        Mean |modelled ÷ measured − 1| in cross-validation for every entry of ``GRID``.
    """

    constants: Mapping[str, float]
    pull: float
    scale: float
    errors: tuple[float, ...]


def work_of(layers: Sequence[Layer]) -> Work:
    """What the tiles of layers do, as their kernels say it.

    Raises
    ------
    InputError
        If a mapping cannot be read, or does not cover its layer.
    """
    rows = []
    for layer in layers:
        tile = tile_of(layer)
        moved = [i.values for i in tile.call if i.mnemonic == "mvin"]
        row = {"calls": tile.calls, "finished": tile.finished, "conv": int(not layer.is_product)}
        row |= {name: sum(values[name] for values in moved) for name in ("requests", "bytes")}
        row |= {name: sum(values[name] for values in moved) / 1000 for name in ("lines", "pages", "walks")}
        row |= next(i.values for i in tile.call if i.mnemonic == "compute")
        row |= {f"out_{name}": value for name, value in tile.store[0].values.items()}
        rows.append(row)
    return Work({name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]} if rows else {})


def closed_form(constants: Mapping[str, float], work: Work) -> FloatArray:
    """Cycles of layers, shape (layers,): start + calls × the slowest part of a tile + the rest of one tile."""
    c, w = {**FIXED, **constants}, work.values
    conv, ws = w["conv"], 1 - w["conv"]
    issue = conv * c["conv_issue"] + ws * c["ws_issue"]
    moved = (conv * c["conv_request"] + ws * c["ws_request"]) * w["requests"]
    moved = moved + (conv * c["conv_byte"] + ws * c["ws_byte"]) * w["bytes"]
    load = moved + c["line_miss"] * w["lines"] + c["page"] * w["pages"] + c["page_walk"] * w["walks"]
    compute = w["rows"] + c["block"] * w["blocks"]
    store = c["out_request"] * w["out_requests"] + c["out_byte"] * w["out_bytes"]
    steady = np.max([issue, load, compute, store * w["finished"] / w["calls"]], axis=0)
    parts = np.array([issue, load, compute, store])
    return np.asarray(c["start"] + w["calls"] * steady + parts.sum(axis=0) - parts.max(axis=0), dtype=np.float64)


def fit(work: Work, cycles: FloatArray, pull: float, scale: float) -> dict[str, float]:
    """Constants of ``ROUND`` by damped Gauss-Newton steps in their logarithms, from the round values.

    Parameters
    ----------
    work, cycles
        Measured layers.
    pull, scale
        Of the objective, as the module describes it.

    Raises
    ------
    InputError
        With fewer than two layers.
    """
    if cycles.size < 2:
        raise InputError(f"a fit needs at least two measured layers, got {cycles.size}")
    target, start = np.log(cycles), np.log(list(ROUND.values()))

    def off(at: FloatArray) -> FloatArray:
        constants = dict(zip(ROUND, np.exp(at).tolist(), strict=True))
        return np.asarray(np.log(closed_form(constants, work)) - target, dtype=np.float64)

    def objective(at: FloatArray) -> float:
        robust = 2 * scale**2 * (np.sqrt(1 + (off(at) / scale) ** 2) - 1)
        return float(robust.sum() + pull**2 * ((at - start) ** 2).sum())

    at, damping = start, 1e-3
    value = objective(at)
    for _ in range(_STEPS):
        errors = off(at)
        slopes = np.stack([(off(at + step) - off(at - step)) / (2 * _STEP) for step in _STEP * np.eye(at.size)], axis=1)
        weights = 1 / np.sqrt(1 + (errors / scale) ** 2)
        square = (slopes * weights[:, None]).T @ slopes + pull**2 * np.eye(at.size)
        slope = slopes.T @ (weights * errors) + pull**2 * (at - start)
        trial = value
        while damping < 1 / _LEAST:
            moved = at - np.linalg.solve(square + damping * np.eye(at.size), slope)
            trial = objective(moved)
            if trial < value:
                break
            damping *= 4
        if value - trial <= _LEAST * value:
            break
        at, value, damping = moved, trial, damping / 8
    return dict(zip(ROUND, np.exp(at).tolist(), strict=True))


def cross_validated(work: Work, cycles: FloatArray, pull: float, scale: float) -> float:
    """Mean |modelled ÷ measured − 1| of rows left out of the fit: 7 parts, drawn 4 times."""
    errors = []
    for seed in range(_DRAWS):
        order = np.random.default_rng(seed).permutation(cycles.size)
        for part in range(_FOLDS):
            out = order[part::_FOLDS]
            kept = np.setdiff1d(order, out)
            if not out.size:
                continue
            constants = fit(work.take(kept), cycles[kept], pull, scale)
            errors += np.abs(closed_form(constants, work.take(out)) / cycles[out] - 1).tolist()
    return float(np.mean(errors))


def chosen(layers: Sequence[Layer], cycles: Sequence[float]) -> Fit:
    """Constants fitted on layers, with the pull and the scale that cross-validation within them prefers.

    Raises
    ------
    InputError
        As ``work_of`` and ``fit``.
    """
    work, measured = work_of(layers), np.asarray(cycles, dtype=np.float64)
    errors = tuple(cross_validated(work, measured, *both) for both in GRID)
    pull, scale = GRID[errors.index(min(errors))]
    return Fit(fit(work, measured, pull, scale), pull, scale, errors)
