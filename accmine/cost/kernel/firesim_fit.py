"""Constants of ``configs/kernels/gemmini-like.yaml`` from a few measured layers, chosen on those layers alone.

The constants minimise sum(2 s² (√(1 + (r/s)²) − 1)) + pull² · sum(d²): r is the logarithm of modelled ÷ measured cycles
of a row, d that of a constant ÷ its round value, s the ``scale`` from which on an error counts by its size and no
longer by its square. The model is the closed form of the kernel: start + calls × the slowest of issue, load, compute
and store + the rest of one tile; its exact latency differs from it by less than 2 %. ``pull`` and ``scale`` are those
of ``GRID`` with the smallest mean error in cross-validation within the rows.
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
_LEAST, _NOTHING, _MOST_DAMPED = 1e-9, 1e-12, 1e9
_SHARP = (4.0, 16.0, 64.0, np.inf)
"""The slowest part as a norm of growing order: a descent over kinks alone stops at the first of them."""


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
        row: dict[str, float] = {"calls": tile.calls, "finished": tile.finished, "conv": int(not layer.is_product)}
        row |= {name: sum(values[name] for values in moved) for name in ("requests", "bytes")}
        row |= {name: sum(values[name] for values in moved) / 1000 for name in ("lines", "pages", "walks")}
        row |= next(i.values for i in tile.call if i.mnemonic == "compute")
        row |= {f"out_{name}": value for name, value in tile.store[0].values.items()}
        rows.append(row)
    return Work({name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]} if rows else {})


def closed_form(constants: Mapping[str, float], work: Work, sharp: float = np.inf) -> FloatArray:
    """Cycles of layers, shape (layers,): start + calls × the slowest part of a tile + the rest of one tile.

    ``sharp`` is the order of the norm that is taken for the slowest; a finite one has no kinks.
    """
    c, w = {**FIXED, **constants}, work.values
    conv, ws = w["conv"], 1 - w["conv"]
    issue = conv * c["conv_issue"] + ws * c["ws_issue"]
    moved = (conv * c["conv_request"] + ws * c["ws_request"]) * w["requests"]
    moved = moved + (conv * c["conv_byte"] + ws * c["ws_byte"]) * w["bytes"]
    load = moved + c["line_miss"] * w["lines"] + c["page"] * w["pages"] + c["page_walk"] * w["walks"]
    compute = w["rows"] + c["block"] * w["blocks"]
    store = c["out_request"] * w["out_requests"] + c["out_byte"] * w["out_bytes"]
    turns = np.array([issue, load, compute, store * w["finished"] / w["calls"]])
    steady = turns.max(axis=0)
    if sharp < np.inf:
        steady = steady * ((turns / steady) ** sharp).sum(axis=0) ** (1 / sharp)
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
    at = start = np.log(list(ROUND.values()))
    for sharp in _SHARP:
        at = _descended(_Objective(work, np.log(cycles), start, pull, scale, sharp), at)
    return dict(zip(ROUND, np.exp(at).tolist(), strict=True))


@dataclass(frozen=True)
class _Objective:
    """What ``fit`` minimises, of the logarithms of the constants."""

    work: Work
    target: FloatArray
    start: FloatArray
    pull: float
    scale: float
    sharp: float

    def off(self, at: FloatArray) -> FloatArray:
        constants = dict(zip(ROUND, np.exp(at).tolist(), strict=True))
        return np.asarray(np.log(closed_form(constants, self.work, self.sharp)) - self.target, dtype=np.float64)

    def value(self, at: FloatArray) -> float:
        robust = 2 * self.scale**2 * (np.sqrt(1 + (self.off(at) / self.scale) ** 2) - 1)
        return float(robust.sum() + self.pull**2 * ((at - self.start) ** 2).sum())

    def step(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(Half the Hessian without second derivatives, half the gradient)."""
        errors, each = self.off(at), np.eye(at.size)
        slopes = np.stack([(self.off(at + d) - self.off(at - d)) / (2 * _STEP) for d in _STEP * each], axis=1)
        weights = 1 / np.sqrt(1 + (errors / self.scale) ** 2)
        square = (slopes * weights[:, None]).T @ slopes + self.pull**2 * each
        return square, slopes.T @ (weights * errors) + self.pull**2 * (at - self.start)


def _descended(objective: _Objective, at: FloatArray) -> FloatArray:
    """The end of steps that each make the objective less."""
    value, damping = objective.value(at), 1e-3
    for _ in range(_STEPS):
        square, slope = objective.step(at)
        moved, trial = at, value
        while trial >= value and damping < _MOST_DAMPED:
            moved = at - np.linalg.solve(square + damping * np.eye(at.size), slope)
            trial, damping = objective.value(moved), damping * 4
        if trial < value:
            at, damping = moved, damping / 32
        if value - trial <= _LEAST * value + _NOTHING:
            break
        value = trial
    return at


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
