"""Suites of measured operators of whole chips: products, vector operators, and chips with a relative's constants.

No row is compared with constants that have seen it, and the interval of a row is that of others that were not fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.hardware import Calibration, Design, load_accelerator
from accmine.questions.accuracy.calibrate import calibrate, cross_fit, parts_of
from accmine.questions.accuracy.fit import Predictor, constants_for, least_squares
from accmine.questions.accuracy.samples import Sample, read_samples
from accmine.questions.accuracy.score import drawn, interval

__all__ = ["COVERAGE", "FILES", "LIMITS", "SILICON", "WIDER", "silicon_lines", "silicon_rows"]

FloatArray = npt.NDArray[np.float64]

A100, H100 = "a100-80gb", "h100"
_PRODUCTS = {
    A100: ("operators/aic_s2000_a100_sxm_vllm.csv", "operators/aic_big_a100_sxm_vllm.csv"),
    H100: ("operators/aic_s2000_h100_sxm_vllm.csv", "operators/aic_big_h100_sxm_vllm.csv"),
}
FILES = {
    "a100-products": _PRODUCTS[A100],
    "h100-products": _PRODUCTS[H100],
    "a100-vectors": ("llmcompass_vector_a100.csv",),
    "relatives": (*_PRODUCTS[A100], *_PRODUCTS[H100]),
    "sustained": ("matmul_sustained.csv",),
}
"""Suite -> its files in the data folder."""

SILICON = tuple(FILES)

WIDER = 1.15
"""The interval of a relative, times this on either side: two chips of one maker differ by more than their operators do.
Chosen so that the interval of either chip of the suite ``relatives`` holds at least 85 % of the rows of the other."""

COVERAGE = (0.85, 0.95)
"""Share of rows that an interval for 9 of 10 of them may hold."""

OF_RELATIVES = (0.85, 0.97)
"""The same where the interval is a relative's: no one factor brings both directions below 95 %."""

_TENTH, _ROOF = "us, constants of products fitted on a tenth", "us, a roofline with as many constants"
_LARGE, _MOST = 1024, 1e9
LIMITS = {
    ("a100-products", _TENTH): (0.08, 0.04),
    ("h100-products", _TENTH): (0.08, 0.06),
    ("relatives", "us, h100 with constants of a100-80gb"): (0.15, None),
    ("relatives", "us, a100-80gb with constants of h100"): (0.15, None),
    ("a100-vectors", "us, softmax"): (0.08, None),
    ("a100-vectors", "us, norm"): (0.08, None),
    ("a100-vectors", "us, elementwise"): (0.08, None),
}
"""(suite, quantity) -> the mean error allowed, of all rows and of those with m, k, n of 1,024 and more."""


def silicon_rows(suite: str, data: Path) -> list[dict[str, Any]]:
    """Every comparison of a suite, as ``accmine.questions.accuracy.suites.rows`` describes them.

    ``ok`` is ``None``: rows lie within the bounds of an interval or not; what is judged is the mean, and the coverage.
    """
    if suite == "a100-products":
        return _products(A100, data)
    if suite == "h100-products":
        return _products(H100, data)
    if suite == "a100-vectors":
        return _vectors(data)
    return _relatives(data) if suite == "relatives" else _sustained(data / FILES[suite][0])


def silicon_lines(suite: str, entries: Sequence[dict[str, Any]], line: Any) -> list[dict[str, Any]]:
    """The summary of a suite: each quantity, and of products the large ones; ``line`` makes one.

    The large products of the second file of a chip count among the large ones only: the first is a draw of all sizes.
    """
    found = []
    for quantity in dict.fromkeys(entry["quantity"] for entry in entries):
        group = [entry for entry in entries if entry["quantity"] == quantity]
        of_all, of_large = LIMITS.get((suite, quantity), (None, None))
        drawn_at_random = [entry for entry in group if entry["random"]]
        found.append(_judged(line(suite, quantity, drawn_at_random, of_all), drawn_at_random))
        large = [entry for entry in group if entry["large"]]
        if large and len(large) < len(group):
            found.append(_judged(line(suite, f"{quantity}; m, k, n >= {_LARGE:,}", large, of_large), large, large=True))
    return found


def _judged(line: dict[str, Any], group: Sequence[dict[str, Any]], *, large: bool = False) -> dict[str, Any]:
    """A line is in order if its mean is, and its interval, if the rows have one, covers what it should."""
    ok = line["mape_at_most"] is None or line["mape"] <= line["mape_at_most"]
    if not large and group[0]["at_most"] < _MOST and len(group) >= 40:
        low, high = OF_RELATIVES if line["suite"] == "relatives" else COVERAGE
        ok = ok and low <= line["within"] / line["rows"] <= high
    return line | {"ok": bool(ok)}


def _row(
    sample: Sample, quantity: str, seconds: float, bounds: tuple[float, float] | None, source: str
) -> dict[str, Any]:
    low, high = (0.0, _MOST) if bounds is None else (1.0 / bounds[1], 1.0 / bounds[0])
    g = sample.work.gemm
    return {
        "name": sample.name,
        "quantity": quantity,
        "model": 1e6 * seconds,
        "published": 1e6 * sample.seconds,
        "ratio": seconds / sample.seconds,
        "at_least": low,
        "at_most": high,
        "ok": None,
        "source": source,
        "random": "_big_" not in sample.where,
        "large": g is not None and min(g.m, g.k, g.n) >= _LARGE,
    }


def _samples(chip: str, data: Path, design: Design) -> tuple[Sample, ...]:
    """Products of a chip; one in both files once."""
    found: dict[str, Sample] = {}
    for file in _PRODUCTS[chip]:
        for sample in read_samples(data / file, design):
            found.setdefault(sample.name, sample)
    return tuple(found.values())


def _products(chip: str, data: Path) -> list[dict[str, Any]]:
    design = load_accelerator(chip)
    samples = _samples(chip, data, design)
    predictor = Predictor(samples, design)
    parts = parts_of(samples, predictor, 0.9, 0)
    names = constants_for("product", design)
    if design.calibration.of("product").sustained < 1.0:
        names = (*names, "sustained")
    fitted = calibrate(samples, design, parts, names, predictor).part.calibration
    seconds, rows = predictor.seconds(fitted), []
    bounds = _of_other_half(seconds, predictor.measured_s, parts[1])
    roof = _roofline(samples, design, parts[0])
    for i in parts[1].tolist():
        rows.append(_row(samples[i], _TENTH, float(seconds[i]), bounds[i], f"{chip}, aiconfigurator"))
    for i in parts[1].tolist():
        rows.append(_row(samples[i], _ROOF, float(roof[i]), None, f"{chip}, aiconfigurator"))
    return rows


def _of_other_half(seconds: FloatArray, measured: FloatArray, held: npt.NDArray[np.int64]) -> dict[int, Any]:
    """For each of some rows the interval of the half of them in which it is not."""
    found: dict[int, Any] = {}
    for own, others in ((held[::2], held[1::2]), (held[1::2], held[::2])):
        found |= dict.fromkeys(own.tolist(), interval(seconds[others], measured[others]))
    return found


def _roofline(samples: Sequence[Sample], design: Design, fit: npt.NDArray[np.int64]) -> FloatArray:
    """A launch + ‖2·(m + m0)(n + n0)(k + k0) / (peak · e), bytes / (bandwidth · e')‖, its exponent fitted as well."""
    sizes = np.array([(g.m, g.n, g.k) for s in samples if (g := s.work.gemm) is not None], dtype=np.float64)
    moved = np.array([s.work.bytes_in + s.work.bytes_out for s in samples], dtype=np.float64)
    measured = np.array([s.seconds for s in samples])

    def model(values: FloatArray, at: Any = slice(None)) -> FloatArray:
        launch, array, hbm, power, m0, n0, k0 = values
        computing = (sizes[at] + [m0, n0, k0]).prod(axis=1) / (design.peak_macs_per_s * array)
        memory = moved[at] / (design.hbm_bytes_per_s * hbm)
        longer, shorter = np.maximum(computing, memory), np.minimum(computing, memory)
        return np.asarray(launch + longer * (1 + (shorter / longer) ** power) ** (1 / power))

    start = (2e-6, 0.8, 0.7, 2.0, 10.0, 10.0, 10.0)
    bounds = ((1e-9, 1e-3), (0.2, 1.0), (0.2, 1.0), (1.0, 50.0), *(((1e-3, 1e4),) * 3))
    found, _ = least_squares(lambda v: model(v, fit), start, bounds, measured[fit], [False] * 7)
    return model(found)


def _vectors(data: Path) -> list[dict[str, Any]]:
    """Each half of the rows of a kind with constants of the other: there are about twenty of each."""
    design = load_accelerator(A100)
    bare = replace(design, calibration=Calibration())
    rows = []
    samples = read_samples(data / FILES["a100-vectors"][0], design, "host")
    kinds = Predictor(samples, bare).kinds
    for kind in dict.fromkeys(kinds.tolist()):
        own = [sample for sample, k in zip(samples, kinds.tolist(), strict=True) if k == kind]
        seconds = cross_fit(own, bare, drawn([sample.seconds for sample in own], 0.5, 0))[0]
        rows += [_row(s, f"us, {kind}", float(t), None, "A100, LLMCompass") for s, t in zip(own, seconds, strict=True)]
    return rows


def _relatives(data: Path) -> list[dict[str, Any]]:
    """All products of a chip with the constants of its relative's file."""
    rows = []
    for chip, other in ((H100, A100), (A100, H100)):
        design, relative = load_accelerator(chip), load_accelerator(other).calibration
        samples = _samples(chip, data, design)
        seconds = Predictor(samples, design).seconds(relative)
        low, high = relative.of("product").interval
        bounds, quantity = (low / WIDER, high * WIDER), f"us, {chip} with constants of {other}"
        rows += [
            _row(s, quantity, float(t), bounds, f"{chip}, aiconfigurator")
            for s, t in zip(samples, seconds, strict=True)
        ]
    return rows


_SUSTAINED = {"A100 SXM": A100, "H100 SXM": H100}


def _sustained(path: Path) -> list[dict[str, Any]]:
    """The sustained rate of the best product of a chip, by another source than that of the constants."""
    from accmine.cost import read_lines

    rows = []
    for number, cells in read_lines(path):
        chip = _SUSTAINED.get(cells["device"])
        if chip is None:
            continue
        try:
            m, k, n = (int(size) for size in cells["best_shape_MxNxK"].split("x"))
            rate = 1e12 * float(cells["sustained_tflops"])
        except (KeyError, ValueError) as error:
            raise InputError(f"is no row of sustained rates: {error}", where=f"{path}:{number}") from None
        design = load_accelerator(chip)
        sample = Sample.product(m, n, k, 1, "bf16", 2.0 * m * k * n / rate, f"{path}:{number}")
        seconds = float(Predictor([sample], design).seconds(design.calibration)[0])
        bounds = design.calibration.of("product").interval
        rows.append(_row(sample, "us at the sustained rate", seconds, (bounds[0], bounds[1]), cells["source"]))
    return rows
