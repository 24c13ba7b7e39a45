"""Fits: modelled times of operators on a whole chip under any calibration, and the constants nearest to measured ones.

The constants minimise the sum of squared relative errors, linear beyond ``ROBUST`` so that a few rows in which a
library chose badly do not decide. Damped Gauss-Newton steps in log space from two starts; nothing is random, so the
same rows give the same constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost import memory_of, splits_for, tensor_costs, vector_costs
from accmine.cost.arrays.products import products_of
from accmine.cost.arrays.timing import resolve_timing
from accmine.cost.arrays.waves import wave_cycles, waves_of
from accmine.cost.corrections import corrections, family
from accmine.cost.operator_costs import INVALID, TypeCosts, combine, durations
from accmine.hardware import UNCALIBRATED, Calibration, Constants, Design
from accmine.questions.accuracy.samples import Sample

__all__ = ["CONSTANTS", "OF_TILES", "Predictor", "constants_for", "field_of", "least_squares"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ROBUST = 0.1
"""Relative error from which on a row weighs linearly."""

PULL = 0.04
"""Weight of ln(efficiency)² beside the squared relative errors: one row that is off by 5 % weighs as much as an
efficiency of e^-¼ = 0.78. It decides only where the rows hardly do, and there it keeps the published peak."""

_FIELDS: dict[str, tuple[str, float, float, float]] = {
    "launch": ("launch_s", 2e-6, 1e-9, 0.9),
    "array_efficiency": ("array_efficiency", 0.9, 0.2, 1.0),
    "vector_efficiency": ("vector_efficiency", 0.9, 0.2, 1.0),
    "hbm_efficiency": ("hbm_efficiency", 0.8, 0.2, 1.0),
    "hbm_ramp": ("hbm_ramp_bytes", 1e5, 1.0, 1e9),
    "sustained": ("sustained", 0.98, 0.5, 1.0),
    "host_launch": ("host_launch_s", 1e-5, 1e-9, 0.9),
    "fill": ("fill", 100.0, 0.1, 1e5),
    "edge": ("edge", 10.0, 0.01, 1e4),
    "split_launch": ("split_launch_s", 2e-6, 1e-9, 0.1),
    "split_traffic": ("split_traffic", 0.2, 1e-4, 100.0),
}
"""Constant: its field, where a search starts, and its bounds."""

CONSTANTS = tuple(_FIELDS)
"""What can be fitted."""


def field_of(name: str) -> str:
    """The field of ``Constants`` or ``Tiles`` that a constant is."""
    return _FIELDS[name][0]


OF_TILES = ("fill", "edge", "split_launch", "split_traffic")


def constants_for(kind: str, design: Design, host_clock: bool = False) -> tuple[str, ...]:
    """The constants that operators of a kind can tell; those of tiles where the chip has any."""
    products = kind in ("product", "convolution")
    tiles = OF_TILES if kind == "product" and design.calibration.tiles.shapes else ()
    units = ("array_efficiency",) if products else ("vector_efficiency",)
    return ("launch", *units, "hbm_efficiency", *tiles, *(("host_launch",) if host_clock else ()))


def least_squares(
    model: Callable[[FloatArray], FloatArray],
    start: Sequence[float],
    bounds: Sequence[tuple[float, float]],
    measured: FloatArray,
    pulled: Sequence[bool],
) -> tuple[FloatArray, float]:
    """Positive constants with the least robust squared relative error, and that error.

    Parameters
    ----------
    model
        Modelled values for constants; shape (rows,).
    start, bounds
        Of each constant.
    measured
        Shape (rows,).
    pulled
        Constants with a weak pull to 1.
    """
    low, high = np.log([a for a, _ in bounds]), np.log([b for _, b in bounds])
    weight = np.where(pulled, np.sqrt(PULL), 0.0)

    def residual(x: FloatArray) -> FloatArray:
        error = model(np.exp(x)) / measured - 1.0
        soft = np.sign(error) * ROBUST * np.sqrt(2.0 * (np.sqrt(1.0 + (error / ROBUST) ** 2) - 1.0))
        return np.concatenate([soft, weight * x])

    x = np.clip(np.log(start), low, high)
    here = residual(x)
    damping = 1e-2
    for _ in range(40):
        jacobian = np.empty((len(here), len(x)))
        for i in range(len(x)):
            up, down = x.copy(), x.copy()
            up[i], down[i] = min(high[i], x[i] + 0.02), max(low[i], x[i] - 0.02)
            jacobian[:, i] = (residual(up) - residual(down)) / max(up[i] - down[i], 1e-12)
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ here
        before = float(here @ here)
        for _ in range(10):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-6), -gradient)
            there = np.clip(x + np.clip(step, -0.5, 0.5), low, high)
            new = residual(there)
            if float(new @ new) < before:
                break
            damping *= 4.0
        else:
            break
        x, here, damping = there, new, damping / 3.0
        if before - float(here @ here) < 1e-7 * before:
            break
    return np.exp(x), float(here @ here)


def _of_rows(side: TypeCosts, rows: IntArray) -> TypeCosts:
    own = {name: getattr(side, name)[rows] for name in ("cycles", "hbm_bytes", "ideal_cycles", "port_cycles", "used")}
    return replace(side, **own, compulsory_bytes=side.compulsory_bytes[rows])


class Predictor:
    """The modelled time of operators on a whole chip, for any calibration.

    Costs at the peak are computed once, for every useful number of cores up to those of the design; so a fit evaluates
    hundreds of calibrations in no time.

    Parameters
    ----------
    samples
        Measured operators.
    design
        Chip; its calibration is not used.
    splits
        Numbers of cores that an operator may take; all of them by default, which takes long.
    """

    def __init__(self, samples: Sequence[Sample], design: Design, splits: Sequence[int] = ()) -> None:
        self.design, self.works = replace(design, calibration=UNCALIBRATED), [sample.work for sample in samples]
        self.kinds = np.array([family(work) for work in self.works])
        self.measured_s: FloatArray = np.array([sample.seconds for sample in samples])
        splits = tuple(splits) or splits_for((design.tensor_cores, design.vector_cores), "even")
        memory = memory_of(self.design)
        self.tensor = tensor_costs(self.works, [design.tensor], splits, memory=memory).of_type(0)
        self.vector = vector_costs(self.works, [design.vector], splits, memory=memory).of_type(0)
        self.splits = splits

    def take(self, rows: IntArray) -> Predictor:
        """That of some rows."""
        found = object.__new__(Predictor)
        found.design, found.splits = self.design, self.splits
        found.works, found.kinds = [self.works[i] for i in rows.tolist()], self.kinds[rows]
        found.measured_s = self.measured_s[rows]
        found.tensor, found.vector = _of_rows(self.tensor, rows), _of_rows(self.vector, rows)
        return found

    def seconds(self, calibration: Calibration) -> FloatArray:
        """Modelled seconds on the fastest number of cores; shape (rows,)."""
        design = replace(self.design, calibration=calibration)
        tensor, waves = self.tensor, waves_of(design)
        if waves is not None:
            p = products_of(self.works, resolve_timing("tpu-like"))
            cycles, moved = tensor.cycles.copy(), np.where(tensor.cycles == INVALID, INVALID, tensor.hbm_bytes)
            own = wave_cycles(p.m, p.k, p.n, p.batch * p.passes, design.tensor.macs, self.splits, waves)
            cycles[p.work] = np.maximum(cycles[p.work], own)
            moved = np.minimum.accumulate(moved, axis=1)
            tensor = replace(tensor, cycles=cycles, hbm_bytes=np.where(moved == INVALID, tensor.hbm_bytes, moved))
        costs = combine(tensor, self.vector, corrections(self.works, design))
        found = durations(costs, design.usable_hbm_bytes_per_cycle)
        most = np.where(costs.uses_tensor, design.tensor_cores, design.vector_cores)
        found = np.where(np.array(self.splits) <= most[:, None], found, INVALID)
        return np.asarray(found.min(axis=1) / design.frequency_hz, dtype=np.float64)

    def fit(self, start: Calibration, kind: str, constants: Sequence[str]) -> tuple[Calibration, tuple[str, ...]]:
        """The calibration with the least error on the rows, all of one kind, and the constants they leave open.

        Constants that are not fitted, or that the rows do not determine, stay those of ``start``.
        """
        base = start.of(kind)
        own: Constants = replace(Constants(), **{n: getattr(base, n) for n in Constants.__dataclass_fields__})
        fitted = [name for name in CONSTANTS if name in constants]
        efficiencies = ["efficiency" in name or name == "sustained" for name in fitted]
        bounds = [_FIELDS[name][2:] for name in fitted]

        def made(values: Sequence[float]) -> Calibration:
            named: dict[str, Any] = {_FIELDS[name][0]: float(value) for name, value in zip(fitted, values, strict=True)}
            tiles = {field: named.pop(field) for name in OF_TILES if (field := _FIELDS[name][0]) in named}
            rest = tuple(item for item in start.kinds if item[0] != kind)
            return replace(start, kinds=(*rest, (kind, replace(own, **named))), tiles=replace(start.tiles, **tiles))

        def model(values: FloatArray) -> FloatArray:
            return self.seconds(made(values.tolist()))

        shortest = float(self.measured_s.min())
        best, least = np.array([]), inf
        for factor in (1.0, 0.75):
            first = []
            for name in fitted:
                value = _FIELDS[name][1]
                if name in ("launch", "host_launch"):
                    value = max(1e-9, shortest * (0.8 if name == "launch" else 0.95))
                first.append(value * factor if "efficiency" in name else value)
            found, loss = least_squares(model, first, bounds, self.measured_s, efficiencies)
            if loss < least - 1e-12:
                best, least = found, loss
        values = [float(f"{value:.3g}") for value in best]
        opened = []
        for i, name in enumerate(fitted):
            low, high = bounds[i]
            others = [values[i] * 0.9, min(high, values[i] * 1.1), high if name in _ENDS else values[i]]
            changed = [[*values[:i], max(low, other), *values[i + 1 :]] for other in others]
            here = self.seconds(made(values))
            if all(np.array_equal(self.seconds(made(there)), here) for there in changed):
                opened.append(name)
        for i, name in enumerate(fitted):
            if name in opened:
                field = _FIELDS[name][0]
                values[i] = float(getattr(start.tiles if name in OF_TILES else base, field))
            elif name in ("launch", "host_launch", "split_launch") and values[i] <= 2e-9:
                values[i] = 0.0
        return made(values), tuple(opened)


_ENDS = ("array_efficiency", "vector_efficiency", "hbm_efficiency")
