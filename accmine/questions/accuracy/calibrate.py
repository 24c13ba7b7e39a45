"""Calibration: constants of the time model fitted on measured operators, and scored on others they have not seen.

The model is that of every cost (``accmine.hardware.calibration``, ``accmine.cost.corrections``), on the number of
cores on which an operator is fastest. Each kind of operator has constants of its own, fitted on its rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.files import Document, dump, load_yaml
from accmine.hardware import Calibration, Constants, Design, Tiles
from accmine.hardware.calibration import KINDS
from accmine.hardware.calibration_file import calibration_section
from accmine.questions.accuracy.fit import CONSTANTS, Predictor, constants_for
from accmine.questions.accuracy.samples import Sample
from accmine.questions.accuracy.score import Score, covered, drawn, interval, score

__all__ = ["CONSTANTS", "Calibrated", "KindPart", "Part", "calibrate", "calibrated_text", "cross_fit", "parts_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

USUAL = {
    "array_efficiency": (0.6, 1.0),
    "vector_efficiency": (0.3, 1.0),
    "hbm_efficiency": (0.5, 0.97),
    "launch": (0.0, 1e-5),
    "sustained": (0.7, 1.0),
}
"""What hardware does; a constant outside is said, since it may describe the rows and not the chip."""

MOST_SWAPPED = 300
"""Rows up to which the two parts are exchanged as well."""


@dataclass(frozen=True, slots=True)
class KindPart:
    """The constants of one kind of operator, and how good they are.

    Attributes
    ----------
    kind
        One of ``accmine.hardware.calibration.KINDS``.
    constants
        Fitted, and open ones: name and value; times in seconds.
    open
        Constants that these rows do not determine: their value stays what it was.
    fitted, held_out
        Score on the rows of the fit, and on the rows it has not seen.
    interval
        Bounds of measured ÷ modelled time of 9 of 10 rows that were not fitted on.
    coverage
        Share of a half of those rows within the interval of the other half; ``None`` with fewer than 40.
    """

    kind: str
    constants: tuple[tuple[str, float], ...]
    open: tuple[str, ...]
    fitted: Score
    held_out: Score
    interval: tuple[float, float]
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """Constants fitted on some rows, and how good they are on those and on the others.

    Attributes
    ----------
    calibration
        With which the rows are modelled: of rows by the host's clock ``launch`` and ``host_launch`` are the host's.
    written
        The same with the launch of kernels, for the file of an accelerator.
    kinds
        One for each kind of operator measured.
    fitted, held_out
        Scores over all kinds.
    """

    calibration: Calibration
    written: Calibration
    kinds: tuple[KindPart, ...]
    fitted: Score
    held_out: Score

    @property
    def open(self) -> tuple[str, ...]:
        """Constants that the rows of their kind do not determine."""
        return tuple(f"{part.kind} {name}" for part in self.kinds for name in part.open)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, scored on rows it has not seen.

    Attributes
    ----------
    part
        Fitted on one part of the rows and scored on the other: what is written to a file.
    swapped
        The two parts exchanged; ``None`` where there are too many rows for that.
    launch
        The same with the launch constant alone.
    uncorrected
        Score of the model without any correction on the held-out rows of ``part``.
    warnings
        Constants outside of what hardware does.
    """

    part: Part
    swapped: Part | None
    launch: Part
    uncorrected: Score
    warnings: tuple[str, ...]


def parts_of(samples: Sequence[Sample], predictor: Predictor, holdout: float, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to fit on and rows to score on: of every kind of operator its own draw (``score.drawn``)."""
    fit, held = [], []
    for kind in dict.fromkeys(predictor.kinds.tolist()):
        rows = np.flatnonzero(predictor.kinds == kind)
        chosen = drawn([samples[i].seconds for i in rows.tolist()], holdout, seed)
        fit.append(rows[chosen[0]])
        held.append(rows[chosen[1]])
    return np.sort(np.concatenate(fit)), np.sort(np.concatenate(held))


def calibrate(
    samples: Sequence[Sample],
    design: Design,
    parts: tuple[IntArray, IntArray],
    constants: Sequence[str] | None = None,
    predictor: Predictor | None = None,
) -> Calibrated:
    """Fit on one part of the rows and score on the other, each kind of operator with constants of its own.

    Parameters
    ----------
    samples
        Measured operators.
    design
        Chip they were measured on. Its calibration gives the shapes of the tiles of its libraries, the exponent of
        overlap, for products the vector efficiency, and the kinds that were not measured.
    parts
        Rows to fit on, and rows to score on, without a row in common.
    constants
        Which of ``CONSTANTS`` are fitted (default: those that a kind can tell).
    predictor
        That of the samples, where it is there already.

    Raises
    ------
    InputError
        For fewer rows of a kind in a part than constants, fewer than two rows, rows in both parts, rows of both clocks
        in a kind, or an unknown constant.
    """
    unknown = [name for name in constants or () if name not in CONSTANTS]
    if unknown or (constants is not None and not constants):
        raise InputError(
            f"unknown constants {', '.join(unknown) or '(none)'}; allowed: {', '.join(CONSTANTS)}", field="fit"
        )
    fit, held_out = parts
    if np.intersect1d(fit, held_out).size:
        raise InputError("rows to fit on must not be scored on")
    bench = _Bench(samples, predictor or Predictor(samples, design), design)
    found = bench.part(fit, held_out, constants)
    small = max(fit.size, held_out.size) <= MOST_SWAPPED
    measured = bench.predictor.measured_s[held_out]
    return Calibrated(
        part=found,
        swapped=bench.part(held_out, fit, constants) if small else None,
        launch=bench.part(fit, held_out, ("launch",)),
        uncorrected=score(bench.predictor.take(held_out).seconds(Calibration()), measured),
        warnings=_warnings(found, samples),
    )


class _Bench:
    """The rows of a calibration."""

    def __init__(self, samples: Sequence[Sample], predictor: Predictor, design: Design) -> None:
        self.samples, self.predictor, self.design = samples, predictor, design
        self.clocks = np.array([sample.clock for sample in samples])

    def part(self, rows: IntArray, others: IntArray, constants: Sequence[str] | None) -> Part:
        """Constants of every kind fitted on some rows."""
        before = self.design.calibration
        calibration = written = replace(before, interval=())
        opened: dict[str, tuple[str, ...]] = {}
        named: dict[str, tuple[str, ...]] = {}
        kinds = [kind for kind in KINDS if (self.predictor.kinds == kind).any()]
        for kind in kinds:
            own = rows[self.predictor.kinds[rows] == kind]
            host = self._host_clock(kind)
            named[kind] = tuple(constants_for(kind, self.design, host) if constants is None else constants)
            self._enough(kind, own, others[self.predictor.kinds[others] == kind], named[kind])
            start = _started(calibration, before, kind)
            calibration, opened[kind] = self.predictor.take(own).fit(start, kind, named[kind])
            kept = calibration.of(kind)
            if host:
                of_kernel = before.of(kind)
                kept = replace(kept, launch_s=of_kernel.launch_s, host_launch_s=of_kernel.host_launch_s)
            elif not written.launch_s:  # kinds without rows are started by the same software
                written = replace(written, launch_s=kept.launch_s)
            rest = tuple(item for item in written.kinds if item[0] != kind)
            written = replace(written, kinds=(*rest, (kind, kept)), tiles=calibration.tiles)
        seconds, measured = self.predictor.seconds(calibration), self.predictor.measured_s
        found = tuple(self._kind(kind, calibration, named[kind], opened[kind], seconds, rows, others) for kind in kinds)
        bounds = {part.kind: part.interval for part in found}
        with_bounds = tuple((k, replace(c, interval=bounds.get(k, c.interval))) for k, c in written.kinds)
        written = replace(written, kinds=with_bounds)
        scores = [score(seconds[r], measured[r]) for r in (rows, others)]
        return Part(calibration, written, found, *scores)

    def _kind(
        self,
        kind: str,
        calibration: Calibration,
        named: tuple[str, ...],
        opened: tuple[str, ...],
        seconds: FloatArray,
        rows: IntArray,
        others: IntArray,
    ) -> KindPart:
        measured = self.predictor.measured_s
        own, held = (r[self.predictor.kinds[r] == kind] for r in (rows, others))
        coverage = None
        if held.size >= _LEAST_COVERED:
            first, second = held[::2], held[1::2]
            coverage = covered(seconds[second], measured[second], interval(seconds[first], measured[first]))
        return KindPart(
            kind,
            tuple((name, value_of(calibration, kind, name)) for name in named),
            opened,
            score(seconds[own], measured[own]),
            score(seconds[held], measured[held]),
            interval(seconds[held], measured[held]),
            coverage,
        )

    def _host_clock(self, kind: str) -> bool:
        clocks = set(self.clocks[self.predictor.kinds == kind].tolist())
        if len(clocks) > 1:
            raise InputError(f"rows of {kind} are by the clock of the device and by that of the host: keep one")
        return clocks == {"host"}

    def _enough(self, kind: str, fit: IntArray, held_out: IntArray, constants: Sequence[str]) -> None:
        needed = max(2, len(constants))
        if fit.size < needed or held_out.size < 2:
            raise InputError(
                f"too few measured operators of kind {kind}: {fit.size} to fit on and {held_out.size} to score on; "
                f"fitting {', '.join(constants)} needs at least {needed}, scoring 2"
            )


def _started(calibration: Calibration, before: Calibration, kind: str) -> Calibration:
    """Where the fit of a kind starts: of the file only what rows of the kind do not tell, so that none is seen."""
    file = before.of(kind)
    vector = file.vector_efficiency if kind in ("product", "convolution") else 1.0
    own = Constants(overlap=file.overlap, vector_efficiency=vector)
    rest = tuple(item for item in calibration.kinds if item[0] != kind)
    tiles = Tiles(before.tiles.shapes) if kind == "product" else calibration.tiles
    return replace(calibration, kinds=(*rest, (kind, own)), tiles=tiles)


_LEAST_COVERED = 40


def value_of(calibration: Calibration, kind: str, name: str) -> float:
    """The value of a constant of a kind; times in seconds, sizes in bytes."""
    from accmine.questions.accuracy.fit import OF_TILES, field_of

    owner = calibration.tiles if name in OF_TILES else calibration.of(kind)
    return float(getattr(owner, field_of(name)))


def _warnings(part: Part, samples: Sequence[Sample]) -> tuple[str, ...]:
    found = []
    host = {sample.clock for sample in samples} == {"host"}
    for own in part.kinds:
        for name, value in own.constants:
            low, high = USUAL.get(name, (value, value))
            if name in own.open or low <= value <= high or (name == "launch" and host):
                continue
            clock = "; if the host's clock measured, say --clock host" if name == "launch" else ""
            found.append(
                f"{own.kind}: {name} of {value:.3g} is outside of what hardware does ({low:g} to {high:g}): it "
                f"describes these rows, and holds for this kind of operator alone{clock}"
            )
    return tuple(found)


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
    bench = _Bench(samples, Predictor(samples, design), design)
    columns = []
    for constants in (None, ("launch",)):
        seconds = np.empty(len(samples))
        for rows, others in (parts, parts[::-1]):
            fitted = bench.part(others, rows, constants).calibration
            seconds[rows] = bench.predictor.take(rows).seconds(fitted)
        columns.append(seconds)
    return columns[0], columns[1], bench.predictor.seconds(Calibration())


def calibrated_text(document: Document, calibration: Calibration, source: str, name: str) -> str:
    """The text of an accelerator file with this ``calibration`` section in the place of its own, and a new name.

    Comments and the order of keys stay.

    Raises
    ------
    InputError
        If the file is written in a way that leaves no place for the section (one flow mapping).
    """
    from accmine.hardware import template_of

    kept, inside = [], False
    own = {"name:": f"name: {name}", "calibrated:": "calibrated: yes"}
    for line in document.text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = line.startswith("calibration:")
        if not inside:
            kept.append(next((text for key, text in own.items() if line.startswith(key)), line))
    section = calibration_section(calibration, source)
    text = "\n".join(kept).rstrip() + "\n"
    text += dump({"calibration": section}, width=110)
    wanted = replace(template_of(document), calibration=calibration)
    try:
        written = template_of(load_yaml(text=text, name=document.name))
    except InputError:
        written = None
    if written != wanted:
        raise InputError("has no place for a calibration section; write one key per line", where=document.name)
    return text
