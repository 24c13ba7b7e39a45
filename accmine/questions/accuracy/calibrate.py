"""Calibration: constants of the time model fitted on measured operators, and scored on others they have not seen.

The model of an operator on a whole chip is the split over cores that takes the least time,

    seconds = launch + max( array cycles / array_efficiency, vector cycles / vector_efficiency, port cycles,
                            HBM bytes / (bandwidth · hbm_efficiency) )

(cycles over the clock). The constants minimise the sum of squared relative errors. For given efficiencies the best
launch is a linear least-squares problem; the efficiencies are found by a coordinate search in log space from several
starts. Nothing is random, so the same rows give the same constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from accmine.cost import memory_of, splits_for, tensor_costs, vector_costs
from accmine.cost.operator_costs import INVALID, OperatorCosts, combine
from accmine.errors import InputError
from accmine.files import Document, format_quantity, load_yaml
from accmine.hardware import Calibration, Design
from accmine.questions.accuracy.samples import Sample
from accmine.questions.accuracy.score import Score, score
from accmine.workload.graph import Work

__all__ = [
    "CONSTANTS",
    "Calibrated",
    "Part",
    "Predictor",
    "calibrate",
    "calibrated_text",
    "cross_fit",
    "default_constants",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Loss = Callable[[dict[str, float]], float]

CONSTANTS = ("launch", "array_efficiency", "vector_efficiency", "hbm_efficiency")
"""What can be fitted."""

_EFFICIENCIES = CONSTANTS[1:]

LEAST_EFFICIENCY = 0.2
"""Lower end of the search; a chip that reaches less than a fifth of its peak on every product is not this model."""

PULL = 0.04
"""Weight of ln(efficiency)² beside the squared relative errors: one row that is off by 5 % weighs as much as an
efficiency of e^-¼ = 0.78. It decides only where the rows hardly do, and there it keeps the published peak."""

_LONGEST_LAUNCH_S = 0.999


@dataclass(frozen=True, slots=True)
class Part:
    """Constants fitted on some rows, and how good they are on those and on the others.

    Attributes
    ----------
    calibration
        Fitted constants.
    open
        Constants that these rows do not determine: their value stays what it was.
    fitted, held_out
        Score on the rows of the fit, and on the rows it has not seen.
    """

    calibration: Calibration
    open: tuple[str, ...]
    fitted: Score
    held_out: Score


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, scored in both directions.

    Attributes
    ----------
    part
        Fitted on one part of the rows and scored on the other: what is written to a file.
    swapped
        The two parts exchanged.
    launch, launch_swapped
        The same with the launch constant alone.
    uncorrected
        Score of the model without any correction on the held-out rows of ``part``.
    """

    part: Part
    swapped: Part
    launch: Part
    launch_swapped: Part
    uncorrected: Score


class Predictor:
    """The modelled time of operators on a whole chip, for any calibration.

    Costs are computed once, without corrections, for every number of cores up to those of the design; so a fit
    evaluates thousands of calibrations in no time.

    Parameters
    ----------
    samples
        Measured operators.
    design
        Chip; its calibration is not used.
    """

    def __init__(self, samples: Sequence[Sample], design: Design) -> None:
        costs = _costs(tuple(sample.work for sample in samples), design)
        cores = np.where(costs.uses_tensor, design.tensor_cores, design.vector_cores)
        valid = (costs.cycles != INVALID) & (np.array(costs.splits) <= cores[:, None])
        clock = float(design.frequency_hz)
        self.array_s: FloatArray = np.where(valid, costs.tensor_cycles / clock, np.inf)
        self.vector_s: FloatArray = np.where(valid, costs.vector_cycles / clock, np.inf)
        self.port_s: FloatArray = np.where(valid, costs.port_cycles / clock, np.inf)
        self.hbm_s: FloatArray = costs.hbm_bytes / float(design.hbm_bytes_per_s)
        self.measured_s: FloatArray = np.array([sample.seconds for sample in samples])

    def busy_s(self, calibration: Calibration, rows: IntArray) -> FloatArray:
        """Seconds of the fastest split of some rows, without launch."""
        array = np.maximum(self.array_s[rows] / calibration.array_efficiency, self.port_s[rows])
        cores = np.maximum(array, self.vector_s[rows] / calibration.vector_efficiency)
        return np.asarray(np.maximum(cores, self.hbm_s[rows] / calibration.hbm_efficiency).min(axis=1))

    def seconds(self, calibration: Calibration, rows: IntArray | None = None) -> FloatArray:
        """Modelled seconds of the rows (default: all), with a calibration."""
        chosen = np.arange(self.measured_s.size) if rows is None else rows
        return calibration.launch_s + self.busy_s(calibration, chosen)

    def fit(
        self, rows: IntArray, start: Calibration, constants: Sequence[str] = CONSTANTS
    ) -> tuple[Calibration, tuple[str, ...]]:
        """The calibration with the least squared relative error on some rows, and the constants they leave open.

        Constants that are not fitted, or that the rows do not determine, stay those of ``start``.
        """
        free = [name for name in _EFFICIENCIES if name in constants]
        base = {name: getattr(start, name) for name in free}

        def fitted(values: dict[str, float]) -> tuple[Calibration, float]:
            """With the best launch time for these efficiencies; and the loss."""
            calibration = replace(start, **values)
            relative = self.busy_s(calibration, rows) / self.measured_s[rows]
            weight = 1.0 / self.measured_s[rows]
            if "launch" in constants:
                best = float((weight * (1.0 - relative)).sum() / (weight**2).sum())
                calibration = replace(calibration, launch_s=min(max(best, 0.0), _LONGEST_LAUNCH_S))
            return calibration, float(((calibration.launch_s * weight + relative - 1.0) ** 2).sum())

        def loss(values: dict[str, float]) -> float:
            return fitted(values)[1]

        def pulled(values: dict[str, float]) -> float:
            return loss(values) + PULL * sum(math.log(values[name]) ** 2 for name in free)

        values = _search(pulled, base, free)
        undetermined = tuple(name for name in free if _flat(loss, values, name))
        values |= {name: base[name] for name in undetermined}
        rounded = {name: float(f"{value:.3g}") for name, value in values.items()}
        return replace(start, launch_s=float(f"{fitted(values)[0].launch_s:.3g}"), **rounded), undetermined


def _costs(works: Sequence[Work], design: Design) -> OperatorCosts:
    """Uncorrected costs on 1, 2, … cores up to those of the design."""
    counts = (design.tensor_cores, design.vector_cores)
    splits = splits_for(counts, "even")  # those that a study of this accelerator has
    memory = memory_of(replace(design, calibration=Calibration()))
    tensor = tensor_costs(works, [design.tensor], splits, memory=memory)
    return combine(tensor, vector_costs(works, [design.vector], splits, memory=memory))


def default_constants(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The constants that operators of these kinds can tell: an efficiency of units that some of them use."""
    products = any(sample.work.gemm is not None for sample in samples)
    vectors = any(sample.work.vector for sample in samples)
    without = [name for name, used in (("array_efficiency", products), ("vector_efficiency", vectors)) if not used]
    return tuple(name for name in CONSTANTS if name not in without)


def _search(loss: Loss, start: dict[str, float], free: Sequence[str]) -> dict[str, float]:
    """The values with the least loss of the free ones: coordinate descent in log space from several starts."""
    best, best_loss = dict(start), loss(start)
    if not free:
        return best
    for first in (1.0, 0.85, 0.65):
        values = start | dict.fromkeys(free, first)
        value_loss = loss(values)
        for step in (0.2, 0.05, 0.01, 0.002, 0.0005):
            value_loss = _descend(loss, values, value_loss, free, step)
        if value_loss < best_loss - 1e-12:
            best, best_loss = values, value_loss
    return best


def _descend(loss: Loss, values: dict[str, float], value_loss: float, free: Sequence[str], step: float) -> float:
    """Move single values, and pairs, by factors of exp(±step) for as long as that helps; returns the loss."""
    moves = [dict(zip(free, signs, strict=True)) for signs in product((-1, 0, 1), repeat=len(free)) if any(signs)]
    improved = True
    while improved:
        improved = False
        for move in moves:
            moved = values | {
                name: min(1.0, max(LEAST_EFFICIENCY, values[name] * math.exp(sign * step)))
                for name, sign in move.items()
            }
            if (moved_loss := loss(moved)) < value_loss - 1e-13:
                values.update(moved)
                value_loss, improved = moved_loss, True
    return value_loss


def _flat(loss: Loss, values: dict[str, float], name: str) -> bool:
    """Whether the loss does not depend on a constant, near its value and at full efficiency."""
    here = loss(values)
    others = (1.0, values[name] * 0.97, min(1.0, values[name] * 1.03))
    return all(abs(loss(values | {name: other}) - here) <= 1e-12 for other in others)


def calibrate(
    samples: Sequence[Sample],
    design: Design,
    parts: tuple[IntArray, IntArray],
    constants: Sequence[str] | None = None,
) -> Calibrated:
    """Fit on one part of the rows and score on the other, in both directions.

    Parameters
    ----------
    samples
        Measured operators.
    design
        Chip they were measured on. Of its calibration only ``vector_efficiency`` is kept, where no vector operator
        was measured.
    parts
        Rows to fit on, and rows to score on, without a row in common.
    constants
        Which of ``CONSTANTS`` are fitted (default: ``default_constants``); the others correct nothing.

    Raises
    ------
    InputError
        For fewer rows in a part than constants, fewer than two rows in a part, rows in both, or an unknown constant.
    """
    constants = default_constants(samples) if constants is None else constants
    unknown = [name for name in constants if name not in CONSTANTS]
    if unknown or not constants:
        raise InputError(
            f"unknown constants {', '.join(unknown) or '(none)'}; allowed: {', '.join(CONSTANTS)}", field="fit"
        )
    fit, held_out = parts
    if np.intersect1d(fit, held_out).size:
        raise InputError("rows to fit on must not be scored on")
    needed = max(2, len(constants))
    if min(fit.size, held_out.size) < needed:
        raise InputError(
            f"too few measured operators: {fit.size} to fit on and {held_out.size} to score on; fitting "
            f"{', '.join(constants)} and scoring on other rows needs at least {needed} of each"
        )
    predictor = Predictor(samples, design)

    kept = design.calibration.vector_efficiency if not any(s.work.vector for s in samples) else 1.0
    start = Calibration(vector_efficiency=kept)

    def part(rows: IntArray, others: IntArray, names: Sequence[str]) -> Part:
        fitted, undetermined = predictor.fit(rows, start, names)
        scores = [score(predictor.seconds(fitted, r), predictor.measured_s[r]) for r in (rows, others)]
        return Part(fitted, undetermined, *scores)

    plain = predictor.seconds(start, held_out)
    return Calibrated(
        part=part(fit, held_out, constants),
        swapped=part(held_out, fit, constants),
        launch=part(fit, held_out, ("launch",)),
        launch_swapped=part(held_out, fit, ("launch",)),
        uncorrected=score(plain, predictor.measured_s[held_out]),
    )


def cross_fit(
    samples: Sequence[Sample], design: Design, parts: tuple[IntArray, IntArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Modelled seconds of every row with constants fitted on the part it is not in.

    Returns
    -------
    all constants, launch alone, no constants
        Each of shape (rows,).

    Raises
    ------
    InputError
        As ``calibrate``.
    """
    found = calibrate(samples, design, parts)
    predictor = Predictor(samples, design)
    columns = []
    for of_second, of_first in ((found.part, found.swapped), (found.launch, found.launch_swapped)):
        seconds = np.empty(len(samples))
        for rows, fitted in zip(parts, (of_first, of_second), strict=True):
            seconds[rows] = predictor.seconds(fitted.calibration, rows)
        columns.append(seconds)
    return columns[0], columns[1], predictor.seconds(Calibration())


def calibrated_text(document: Document, calibration: Calibration, source: str, name: str) -> str:
    """The text of an accelerator file with this ``calibration`` section in the place of its own, and a new name.

    Comments and the order of keys stay.

    Raises
    ------
    InputError
        If the file is written in a way that leaves no place for the section (one flow mapping).
    """
    import yaml

    from accmine.hardware import template_of

    kept, inside = [], False
    own = {"name:": f"name: {name}", "calibrated:": "calibrated: yes"}
    for line in document.text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = line.startswith("calibration:")
        if not inside:
            kept.append(next((text for key, text in own.items() if line.startswith(key)), line))
    section = {
        "launch": format_quantity(calibration.launch_s, "seconds"),
        "array_efficiency": calibration.array_efficiency,
        "vector_efficiency": calibration.vector_efficiency,
        "hbm_efficiency": calibration.hbm_efficiency,
        "source": source,
    }
    text = "\n".join(kept).rstrip() + "\n"
    text += yaml.safe_dump({"calibration": section}, sort_keys=False, width=110, allow_unicode=True)
    wanted = replace(template_of(document), calibration=calibration)
    try:
        written = template_of(load_yaml(text=text, name=document.name))
    except InputError:
        written = None
    if written != wanted:
        raise InputError("has no place for a calibration section; write one key per line", where=document.name)
    return text
