"""Suites and calibrations as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accmine.hardware import Calibration
from accmine.questions.accuracy.calibrate import Calibrated, Part
from accmine.questions.accuracy.score import Score
from accmine.report import Section, cell, figures, table, texts

__all__ = ["calibration_text", "rows_text", "source_text", "suite", "summary", "summary_text"]

_FIGURES = ("model", "published", "ratio", "at_least", "at_most")


def suite(entries: Sequence[dict[str, Any]]) -> Section:
    """The rows of a suite."""
    names = ("name", "quantity", *_FIGURES, "ok", "source")
    numbers = figures(*(name.replace("_", " ") for name in _FIGURES))
    columns = (*texts("name", "quantity"), *numbers, *texts("ok", "source"))
    return Section("suite", "Suite", columns, tuple(tuple(cell(entry[key]) for key in names) for entry in entries))


def rows_text(entries: Sequence[dict[str, Any]]) -> str:
    """The rows of a suite as a table."""
    return table(suite(entries))


def summary(entries: Sequence[dict[str, Any]]) -> Section:
    """One row for each suite and quantity."""
    rows = []
    for entry in entries:
        limit = entry["mape_at_most"]
        mape = _percent(entry["mape"]) + ("" if limit is None else f" (at most {100 * limit:g} %)")
        words = (entry["suite"], entry["quantity"], str(entry["rows"]), str(entry["within"]), mape)
        rest = (_percent(entry["bias"], sign=True), _percent(entry["worst"]), cell(entry["rank"]))
        rows.append((*words, *rest, entry["note"] or cell(entry["ok"])))
    numbers = figures("rows", "within", "MAPE", "bias", "worst", "rank")
    return Section("accuracy", "Accuracy", (*texts("suite", "quantity"), *numbers, *texts("ok")), tuple(rows))


def summary_text(entries: Sequence[dict[str, Any]]) -> str:
    """One line for each suite and quantity as a table, and what it means."""
    return (
        f"{table(summary(entries))}\n\n"
        "within: rows inside the band of their quantity; MAPE, bias, worst: mean of |model / published - 1|, mean and\n"
        "largest of it; rank: Spearman's. The rows and their bands: accmine ledger --suite NAME."
    )


def _percent(value: float | None, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"


def source_text(found: Calibrated, table: str, rows: int, constants: tuple[str, ...], seed: int) -> str:
    """What the ``source`` of a calibration section says: on what it was fitted, and how good it is on other rows."""
    part, what = found.part, ", ".join(constants)
    text = (
        f"{what} fitted on {part.fitted.rows} of {rows} operators of {table} (seed {seed}, least squares of relative "
        f"errors): MAPE {100 * part.fitted.mape:.1f} % on them, {100 * part.held_out.mape:.1f} % on the "
        f"{part.held_out.rows} others"
    )
    return text + (f"; not determined by these rows: {', '.join(part.open)}" if part.open else "")


def calibration_text(found: Calibrated, constants: tuple[str, ...]) -> str:
    """The constants of both directions, and the scores, as text."""
    first, second = found.part, found.swapped
    lines = [
        f"{'constant':<24}{f'fitted on {first.fitted.rows} rows':>20}{f'on the {second.fitted.rows} others':>20}",
        *(f"{name:<24}{_constant(first, name):>20}{_constant(second, name):>20}" for name in constants),
        "",
        f"{'score':<44}{'rows':>6}{'MAPE':>9}{'bias':>9}{'worst':>9}{'rank':>8}",
        _score("nothing fitted, held-out rows", found.uncorrected),
        _score("launch alone, rows of the fit", found.launch.fitted),
        _score("launch alone, held-out rows", found.launch.held_out),
        _score("launch alone, held-out rows, parts exchanged", found.launch_swapped.held_out),
        _score(f"{_words(constants)}, rows of the fit", first.fitted),
        _score(f"{_words(constants)}, held-out rows", first.held_out),
        _score(f"{_words(constants)}, held-out rows, parts exchanged", second.held_out),
    ]
    return "\n".join(lines)


def _words(constants: tuple[str, ...]) -> str:
    return f"{len(constants)} constant{'s' if len(constants) > 1 else ''}"


def _constant(part: Part, name: str) -> str:
    if name in part.open:
        return "not determined"
    return _value(part.calibration, name)


def _value(calibration: Calibration, name: str) -> str:
    if name == "launch":
        return f"{1e6 * calibration.launch_s:.4g} us"
    value: Any = getattr(calibration, name)
    return f"{value:.4g}"


def _score(name: str, found: Score) -> str:
    rank = "" if found.rank is None else f"{found.rank:.3f}"
    percents = f"{100 * found.mape:>7.1f} %{100 * found.bias:>+7.1f} %{100 * found.worst:>7.1f} %"
    return f"{name:<44}{found.rows:>6}{percents}{rank:>8}"
