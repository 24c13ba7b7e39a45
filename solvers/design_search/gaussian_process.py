"""A Gaussian process over features of the domain, in the manner of Spotlight.

Spotlight (Sakhuja et al., HPCA 2023) searches accelerators by Bayesian optimisation on features that an architect
would look at instead of raw tunables. Its features are of inference on one array; these are their like for a chip that
trains. The next design is that of the largest expected improvement among a sampled pool.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import erf, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.problems.design_search import Problem, Solution, aggregate
from accmine.record import Record
from accmine.result import StopReason

from .space import Code, Looks, guide
from .tpe import needed

__all__ = ["FEATURES", "GaussianProcess", "features"]

FloatArray = npt.NDArray[np.float64]

FEATURES = (
    "MACs of an array",
    "aspect ratio of an array",
    "MACs of the chip",
    "SRAM per MAC",
    "bandwidth per MAC",
    "vector operations per MAC",
    "lanes of a vector core",
    "tensor cores",
    "vector cores",
    "area",
    "TDP",
    "roofline time",
)
"""Logarithms of these describe a design."""

_POOL, _NEAR = 300, 100
"""Designs of which the next is chosen: drawn uniformly, and neighbours of the best ones."""

_MOST = 150
"""Of the best and of the latest evaluations each that the process is fitted to: it takes cubic time."""

_GROWTH = 1.3
"""The lengths of the kernel are fitted again when there are so many times more evaluations."""


class _Totals:
    """What the tasks take of any hardware: multiply-accumulates, vector elements and bytes of a step."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rows = []
        for task in problem.tasks:
            total = np.zeros(3)
            for phase in task.phases:
                for operator in phase.graph.operators:
                    work = operator.work
                    elements = sum(part.elements for part in work.vector)
                    total += phase.repeats * np.array([work.macs, elements, work.bytes_in + work.bytes_out], float)
            self.rows.append(total)

    def roofline(self, design: Design) -> float:
        """Relative time if nothing but the peaks of arrays, lanes and HBM counted."""
        clock = design.frequency_hz
        macs = design.tensor_cores * design.tensor.macs * clock
        lanes = design.vector_cores * design.vector.lanes * design.vector.ops_per_lane * clock
        peaks = np.array([macs, lanes, design.hbm_bytes_per_s], float)
        times = [float((row / peaks).max()) / t0 for row, t0 in zip(self.rows, self.problem.reference_s, strict=True)]
        return float(aggregate(times, self.problem.weights, self.problem.aggregate, self.problem.mixes))


def features(problem: Problem, designs: Sequence[Design], totals: _Totals | None = None) -> FloatArray:
    """``FEATURES`` of designs; shape (designs, features)."""
    totals = totals or _Totals(problem)
    rows = []
    for d in designs:
        macs = d.tensor_cores * d.tensor.macs
        sram = d.tensor_cores * d.tensor.sram_bytes + d.vector_cores * d.vector.sram_bytes + d.shared_sram_bytes
        vector = d.vector_cores * d.vector.lanes * d.vector.ops_per_lane
        row = [d.tensor.macs, d.tensor.rows / d.tensor.cols, macs, sram / macs, d.hbm_bytes_per_s / macs, vector / macs]
        row += [d.vector.lanes, d.tensor_cores, d.vector_cores]
        row += [area_mm2(d, problem.technology), tdp_w(d, problem.technology), totals.roofline(d)]
        rows.append(row)
    return np.log(np.maximum(np.array(rows, dtype=np.float64), 1e-12))


class GaussianProcess:
    """Solver of design searches by expected improvement.

    Parameters
    ----------
    startup
        Designs that are drawn before the process begins.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """

    name = "gp-features"

    def __init__(self, *, startup: int = 5) -> None:
        self.startup = startup
        self._process = needed("sklearn.gaussian_process", self.name)
        self._kernels = needed("sklearn.gaussian_process.kernels", self.name)
        self._threads = needed("threadpoolctl", self.name)

    def search(self, record: Record[Solution]) -> StopReason:
        """Look at the design of largest expected improvement until the limits pass, or none is left."""
        looks = Looks(record)
        model = _Model(self, looks)
        with self._threads.threadpool_limits(limits=1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of kernel lengths at the end of their range
            while (reason := looks.over()) is None:
                code = looks.new() if len(looks.known) < self.startup else model.next()
                looks(code)
        return reason


class _Model:
    """The process of one search, fitted to what was looked at."""

    def __init__(self, solver: GaussianProcess, looks: Looks) -> None:
        self.looks, self.totals = looks, _Totals(looks.problem)
        self.make, self.kernels = solver._process.GaussianProcessRegressor, solver._kernels
        self.kernel: Any = None
        self.fitted = 0
        self.rows: dict[Code, FloatArray] = {}
        self.values: dict[Code, float] = {}

    def next(self) -> Code:
        """The design of the pool that is expected to improve most on the best."""
        self._describe(code for code in self.looks.known if code not in self.values)
        best = sorted(self.values, key=lambda code: (self.values[code], code))
        pool = self.looks.space.several(self.looks.random, self.looks.known, _POOL)
        near = {self.looks.moved(best[i % min(5, len(best))], 0.2) for i in range(_NEAR)}
        codes = sorted((pool | near) - self.looks.known.keys())
        chosen = list(dict.fromkeys([*best[:_MOST], *list(self.values)[-_MOST:]]))
        x, y = np.stack([self.rows[c] for c in chosen]), np.array([self.values[c] for c in chosen])
        low, spread = x.mean(axis=0), x.std(axis=0)
        spread[spread == 0] = 1.0
        process = self._fit((x - low) / spread, y)
        there = (features(self.looks.problem, [self.looks.space.design(c) for c in codes], self.totals) - low) / spread
        mean, deviation = process.predict(there, return_std=True)
        return codes[int(_improvement(y.min(), mean, deviation).argmax())]

    def _describe(self, codes: Any) -> None:
        new = list(codes)
        if new:
            designs = [self.looks.space.design(code) for code in new]
            self.rows |= zip(new, features(self.looks.problem, designs, self.totals), strict=True)
            self.values |= {code: guide(self.looks.problem, self.looks.known[code]) for code in new}

    def _fit(self, x: FloatArray, y: FloatArray) -> Any:
        """A process on standardised features; its kernel is fitted anew when much has become known."""
        again = self.kernel is None or len(self.values) >= _GROWTH * self.fitted
        k = self.kernels
        start = k.ConstantKernel(1.0) * k.Matern(np.ones(x.shape[1]), (0.05, 100.0), nu=2.5)
        kernel = start + k.WhiteKernel(1e-3, (1e-6, 1.0)) if again else self.kernel
        optimizer = "fmin_l_bfgs_b" if again else None
        process = self.make(kernel, optimizer=optimizer, normalize_y=True, random_state=0).fit(x, y)
        if again:
            self.kernel, self.fitted = process.kernel_, len(self.values)
        return process


def _improvement(best: float, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Expected improvement on ``best`` of normal distributions."""
    sigma = np.maximum(deviation, 1e-12)
    z = (best - mean) / sigma
    below = np.array([0.5 * (1 + erf(x / sqrt(2))) for x in z.tolist()])
    return np.asarray((best - mean) * below + sigma * np.exp(-z * z / 2) / sqrt(2 * pi), dtype=np.float64)
