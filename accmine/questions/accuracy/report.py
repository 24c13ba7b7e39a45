"""Suites and calibrations as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accmine.questions.accuracy.calibrate import Calibrated, KindPart
from accmine.questions.accuracy.score import Score
from accmine.report import Section, cell, figures, table, texts

__all__ = ["calibration_text", "rows_text", "source_text", "suite", "summary", "summary_text"]

_NO_BAND = 1e9
"""Ratio that no row reaches."""

_FIGURES = ("model", "published", "ratio", "at_least", "at_most")


def suite(entries: Sequence[dict[str, Any]]) -> Section:
    """The rows of a suite."""
    names = ("name", "quantity", *_FIGURES, "ok", "source")
    numbers = figures(*(name.replace("_", " ") for name in _FIGURES))
    columns = (*texts("name", "quantity"), *numbers, *texts("ok", "source"))
    return Section("suite", "Suite", columns, tuple(tuple(_cell(entry, key) for key in names) for entry in entries))


def _cell(entry: dict[str, Any], key: str) -> Any:
    """A row that is not judged by itself has no band: nothing is printed for it."""
    return "" if key in ("at_least", "at_most") and (entry["at_most"] or 0) >= _NO_BAND else cell(entry[key])


def rows_text(entries: Sequence[dict[str, Any]], width: int | None = None) -> str:
    """The rows of a suite as a table; ``width`` as ``accmine.report.table``."""
    return table(suite(entries), width)


def summary(entries: Sequence[dict[str, Any]]) -> Section:
    """One row for each suite and quantity."""
    rows = []
    for entry in entries:
        limit = entry["mape_at_most"]
        mape = _percent(entry["mape"]) + ("" if limit is None else f" (at most {100 * limit:g} %)")
        words = (
            entry["suite"],
            entry["quantity"],
            str(entry["rows"]),
            "" if entry["within"] is None else str(entry["within"]),
            mape,
        )
        rest = (_percent(entry["bias"], sign=True), _percent(entry["worst"]), cell(entry["rank"]))
        rows.append((*words, *rest, entry["note"] or cell(entry["ok"])))
    numbers = figures("rows", "within", "MAPE", "bias", "worst", "rank")
    return Section("accuracy", "Accuracy", (*texts("suite", "quantity"), *numbers, *texts("ok")), tuple(rows))


def summary_text(entries: Sequence[dict[str, Any]], width: int | None = None) -> str:
    """One line for each suite and quantity as a table, and what it means."""
    return (
        f"{table(summary(entries), width)}\n\n"
        "within: rows inside the band of their quantity; MAPE, bias, worst: mean of |model / published - 1|, mean and\n"
        "largest of it; rank: Spearman's. The rows and their bands: accmine ledger --suite NAME."
    )


def _percent(value: float | None, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"


def source_text(found: Calibrated, tables: Sequence[str], rows: int, seed: int, before: str = "") -> str:
    """What the ``source`` of a calibration section says: on what it was fitted, and how good it is on other rows."""
    part = found.part
    kinds = "; ".join(
        f"{own.kind}: {', '.join(name for name, _ in own.constants)} on {own.fitted.rows} rows, MAPE "
        f"{100 * own.fitted.mape:.1f} % on them, {100 * own.held_out.mape:.1f} % on {own.held_out.rows} others"
        for own in part.kinds
    )
    text = f"fitted on {part.fitted.rows} of {rows} operators of {', '.join(tables)} (seed {seed}). {kinds}"
    text += f"; not determined by these rows: {', '.join(part.open)}" if part.open else ""
    return text + (f". Before: {before}" if before else "")


def _constants(found: Calibrated) -> Section:
    """The constants of each kind, of both directions."""
    first, second = found.part, found.swapped
    rows = []
    for i, own in enumerate(first.kinds):
        swapped = None if second is None else second.kinds[i]
        for j, (name, value) in enumerate(own.constants):
            there = () if swapped is None else (_constant(swapped, name, swapped.constants[j][1]),)
            rows.append((own.kind, name, _constant(own, name, value), *there))
    heads = [
        f"fitted on {first.fitted.rows} rows",
        *([] if second is None else [f"on the {second.fitted.rows} others"]),
    ]
    return Section("constants", "Constants", (*texts("kind", "constant"), *figures(*heads)), tuple(rows))


def _scores(found: Calibrated) -> Section:
    """How far predictions are off, on which rows."""
    first, second = found.part, found.swapped
    rows = [
        _score("nothing fitted, held-out rows", found.uncorrected),
        _score("launch alone, held-out rows", found.launch.held_out),
    ]
    for own in first.kinds:
        rows += [
            _score(f"{own.kind}, rows of the fit", own.fitted),
            _score(f"{own.kind}, held-out rows", own.held_out),
        ]
    if len(first.kinds) > 1:
        rows.append(_score("all kinds, held-out rows", first.held_out))
    if second is not None:
        rows.append(_score("all kinds, held-out rows, parts exchanged", second.held_out))
    heads = (*texts("score"), *figures("rows", "MAPE", "bias", "worst", "rank"))
    return Section("scores", "Scores", heads, tuple(rows))


def calibration_text(found: Calibrated, width: int | None = None) -> str:
    """The constants of both directions, the scores and the warnings, as text; ``width`` as ``accmine.report.table``."""
    first = found.part
    lines = [table(_constants(found), width), "", table(_scores(found), width), ""]
    for own in first.kinds:
        low, high = own.interval
        text = f"{own.kind}: 9 of 10 held-out rows take {low:.3f} to {high:.3f} times the modelled time"
        if own.coverage is not None:
            text += f" (the interval of one half of them holds {100 * own.coverage:.0f} % of the other)"
        lines.append(text)
    lines += [f"warning: {text}" for text in found.warnings]
    return "\n".join(lines)


def _constant(part: KindPart, name: str, value: float) -> str:
    if name in part.open:
        return "not determined"
    return f"{1e6 * value:.4g} us" if name.endswith("launch") else f"{value:.4g}"


def _score(name: str, found: Score) -> tuple[str, ...]:
    rank = "" if found.rank is None else f"{found.rank:.3f}"
    percents = (_percent(found.mape), _percent(found.bias, sign=True), _percent(found.worst))
    return (name, str(found.rows), *percents, rank)
