"""Rows of a gap measurement as a table for a terminal, as CSV and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accmine.questions.gap.record import WHOLE, GapRow, heuristic_range
from accmine.report import BULLET, UNKNOWN, Section, count, csv, figures, number, percent, render, texts
from accmine.study import HEURISTIC_OPTIONS

__all__ = ["COLUMNS", "as_csv", "as_json", "solution_text", "study_text", "suite_text"]

COLUMNS = (
    "study",
    "part",
    "metric",
    "unit",
    "sense",
    "method",
    *(f"option.{name}" for name in HEURISTIC_OPTIONS),
    "seed",
    "limit_s",
    "work",
    "heuristic",
    "refined",
    "best",
    "own_bound",
    "bound",
    "gap_before",
    "gap_refined",
    "gap_after",
    "schedule_part",
    "bound_part",
    "found_by",
    "proof",
    "own_proof",
    "designs",
    "operators",
    "feasible_designs",
    "finished",
    "heuristic_s",
    "seconds",
    "violations",
    "note",
    "reused",
)
"""Columns of the CSV, always all of them."""

_SEPARATOR = "; "


def as_csv(rows: Sequence[GapRow]) -> str:
    """All rows with all columns; numbers in full, gaps as shares 0 to 1, empty where there is no value."""
    records = []
    for row in rows:
        options = {f"option.{name}": value for name, value in row.options.items()}
        lists = {"designs": _SEPARATOR.join(row.designs), "violations": _SEPARATOR.join(row.violations)}
        records.append(row.to_json() | options | lists)
    return csv.render(records, COLUMNS)


def as_json(rows: Sequence[GapRow]) -> dict[str, Any]:
    """Rows with their traces, and the range of the heuristic's gap by study and metric."""
    ranges = [
        {"study": study, "metric": metric, "least": least, "most": most, "rows": rows}
        for (study, metric), (least, most, rows) in heuristic_range(rows).items()
    ]
    return {"rows": [row.to_json() for row in rows], "heuristic_range": ranges}


def study_text(rows: Sequence[GapRow], *, width: int | None = 110, color: bool = False) -> str:
    """A table for every study, one line per stage and for the whole of every run, and the range over the options."""
    studies = dict.fromkeys(row.study for row in rows)
    sections = [_study([row for row in rows if row.study == study]) for study in studies]
    return render(sections, width=width, color=color)


def _study(rows: Sequence[GapRow]) -> Section:
    valued = [row for row in rows if row.bound is not None]
    proofs = list(dict.fromkeys(row.proof for row in valued))
    varied = _varied(valued)
    words = [name.replace("limit_s", "limit [s]").replace("_", " ") for name in varied]
    table, marked = [], []
    for index, row in enumerate(valued):
        if row.part == WHOLE:
            marked.append(index)
        table.append(
            (
                row.part,
                *(_word(_field(row, name)) for name in varied),
                *(number(value) for value in (row.heuristic, row.refined, row.best, row.bound)),
                *(percent(gap) for gap in (row.gap_before, row.gap_refined, row.gap_after)),
                *(percent(gap) for gap in (row.schedule_part, row.bound_part)),
                f"[{proofs.index(row.proof) + 1}]",
                UNKNOWN if row.seconds is None else f"{row.seconds:.1f}",
            )
        )
    columns = (
        *texts("part"),
        *figures(*words, "heuristic", "refined", "best", "bound"),
        *figures("gap before", "gap refined", "gap after", "schedule part", "bound part"),
        *texts("proof"),
        *figures("seconds"),
    )
    notes = [
        *_metrics(valued),
        *_notes(rows),
        *_numbered(proofs),
        *_ranges(rows),
    ]
    study = rows[0].study
    return Section("gap", f"Gap: {study}", columns if table else (), tuple(table), tuple(notes), tuple(marked))


def _numbered(proofs: Sequence[str]) -> list[str]:
    return [f"[{i + 1}] {proof}" for i, proof in enumerate(proofs)]


def _varied(rows: Sequence[GapRow]) -> list[str]:
    """Options and settings that differ between rows; the heuristic's name first, where there are several."""
    names = ["method", *HEURISTIC_OPTIONS, "seed", "limit_s"]
    heuristics = [row for row in rows if row.finished is not None]
    return [n for n in names if len({_field(row, n) for row in (rows if n == "method" else heuristics)}) > 1]


def _field(row: GapRow, name: str) -> Any:
    return row.options.get(name) if name in HEURISTIC_OPTIONS else getattr(row, name)


def _word(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metric(row: GapRow) -> str:
    return f"{row.metric} [{row.unit}]" if row.unit else row.metric


def _metrics(rows: Sequence[GapRow]) -> list[str]:
    """What the values of the whole and of the stages are."""
    found = dict.fromkeys((row.part == WHOLE, _metric(row), row.sense) for row in rows)
    sides = {"minimize": "less is better", "maximize": "more is better"}
    return [f"{'Whole' if whole else 'Stages'}: {metric}, {sides[sense]}." for whole, metric, sense in found]


def _notes(rows: Sequence[GapRow]) -> list[str]:
    """What a reader has to know beside the numbers."""
    found = [f"{BULLET}{row.method or row.study}: violates {text}" for row in _wholes(rows) for text in row.violations]
    found += [f"{BULLET}{row.note}" for row in rows if row.note]
    ended = [row for row in _wholes(rows) if row.finished is False]
    if ended:
        found.append(f"{BULLET}{ended[0].method} was ended by its share of the budget in {len(ended)} of its runs")
    reused = [row for row in _wholes(rows) if row.reused]
    if reused:
        found.append(f"{BULLET}{len(reused)} of {len(_wholes(rows))} runs read from their run folders")
    found += [
        f"Best of the {row.part}: found by {row.found_by}: {', '.join(dict.fromkeys(row.designs))}"
        for row in sorted(_wholes(rows), key=lambda row: (row.gap_after is None, row.gap_after or 0.0))[:1]
        if row.designs
    ]
    return found


def _wholes(rows: Sequence[GapRow]) -> list[GapRow]:
    return [row for row in rows if row.part == WHOLE]


def _ranges(rows: Sequence[GapRow]) -> list[str]:
    """The sentence on the heuristic: a range over its options, never one number for it."""
    method = ", ".join(dict.fromkeys(row.method for row in rows if row.finished is not None))
    found = []
    for (_, metric), (least, most, runs) in heuristic_range(rows).items():
        span = f"gap between {percent(least)} and {percent(most)} ({metric}, {runs} runs)."
        one = f"{method}, with the options of this run: gap {percent(least)} ({metric})."
        found.append(f"{method}, over its options: {span}" if runs > 1 else one)
    return found


def suite_text(rows: Sequence[GapRow], *, width: int | None = 110, color: bool = False) -> str:
    """One line per model and metric: the heuristic's range over its options, the best known, and its gap."""
    groups: dict[tuple[str, str], list[GapRow]] = {}
    for row in _wholes(rows):
        groups.setdefault((row.study, row.metric), []).append(row)
    proofs = list(dict.fromkeys(row.proof for row in rows if row.part == WHOLE and row.proof))
    table = [_suite_row(study, metric, own, proofs) for (study, metric), own in groups.items()]
    columns = (
        *texts("model", "metric"),
        *figures("operators", "feasible", "heuristic", "best", "bound", "gap before", "gap after", "schedule part"),
        *texts("proof"),
        *figures("seconds"),
    )
    notes = [*_numbered(proofs)]
    notes += [f"{BULLET}{own[0].study}, {metric}: {own[0].note}" for (_, metric), own in groups.items() if own[0].note]
    methods = ", ".join(dict.fromkeys(row.method for row in rows if row.finished is not None))
    for metric in dict.fromkeys(metric for _, metric in groups):
        own = [r for r in _wholes(rows) if r.metric == metric and r.finished is not None and r.gap_before is not None]
        gaps, models = [row.gap_before or 0.0 for row in own], len({row.study for row in own})
        if gaps:
            over = "over its options" if len(gaps) > models else "with the options of this run"
            on = _counted(models, "model")
            span = f"{percent(min(gaps))} and {percent(max(gaps))}"
            notes.append(f"{methods}, {over}, on {on}: gap between {span} ({metric}, {_counted(len(gaps), 'run')}).")
    section = Section("suite", "Gap of the suite", columns, tuple(table), tuple(notes))
    return render([section], width=width, color=color)


def _counted(number_of: int, what: str) -> str:
    return f"{number_of} {what}{'' if number_of == 1 else 's'}"


def _suite_row(study: str, metric: str, own: Sequence[GapRow], proofs: Sequence[str]) -> tuple[str, ...]:
    done = [row for row in own if row.bound is not None]
    if not done:
        return (study, metric, *[UNKNOWN] * 8, own[0].note.partition(":")[0], UNKNOWN)
    first = done[0]
    # Bounds and values of runs under other references are not compared: the run of the least gap is shown whole.
    best = min(done, key=lambda row: (row.gap_after is None, row.gap_after or 0.0))
    return (
        study,
        _metric(first),
        UNKNOWN if first.operators is None else count(first.operators),
        UNKNOWN if first.feasible_designs is None else count(first.feasible_designs),
        _span([row.heuristic for row in done], number),
        number(best.best),
        number(best.bound),
        _span([row.gap_before for row in done], percent),
        percent(best.gap_after),
        percent(best.schedule_part),
        f"[{proofs.index(best.proof) + 1}]",
        UNKNOWN if best.seconds is None else f"{best.seconds:.1f}",
    )


def _span(values: Sequence[float | None], shown: Any) -> str:
    """Least to largest known value; one where they read the same."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return UNKNOWN
    ends = dict.fromkeys((shown(known[0]), shown(known[-1])))
    return " … ".join(ends)


def solution_text(row: GapRow) -> str:
    """A rated solution, line by line."""
    lines = {
        "verified": "no" if row.violations else "yes",
        row.metric: number(row.heuristic, 12),
        "bound": f"{number(row.bound, 12)} ({row.proof})",
        "gap": percent(row.gap_before),
        "best known": f"{number(row.best, 12)} ({row.found_by})" if row.best is not None else UNKNOWN,
        "its gap": percent(row.gap_after),
        "seconds": UNKNOWN if row.seconds is None else f"{row.seconds:.2f}",
    }
    text = [f"{name:<12}{value}" for name, value in lines.items()]
    return "\n".join([*text, *(f"{'violated':<12}{violation}" for violation in row.violations)]) + "\n"
