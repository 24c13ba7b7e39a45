"""Rows of a comparison as tables for a terminal, Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from math import isinf
from statistics import median
from typing import Any

from accmine.questions.compare.figures import CHARGES, Summary, Versus, summaries, versus
from accmine.questions.compare.gain import Gain
from accmine.questions.compare.methods import BLACK_BOXES, OURS, SPOTLIGHT
from accmine.questions.compare.record import CHIP, COLUMNS, CompareRow
from accmine.report import BULLET, UNKNOWN, Section, csv, figures, number, percent, render, texts, to_json
from accmine.report.tables import markdown
from accmine.search import excess

__all__ = ["as_csv", "as_json", "as_markdown", "claims", "sections", "text"]

FASTER, BETTER, GAIN = 31.0, 12.0, 0.12
"""What WHAM's paper claims: seconds of a Spotlight-like search over its own, throughput over that search's, gain over
TPUv2's architecture."""


def as_csv(rows: Sequence[CompareRow]) -> str:
    """All rows with all columns; numbers in full, empty where there is no value."""
    more = [{"gap": excess(row.value, row.bound), "times_baseline": _times(row)} for row in rows]
    return csv.render([row.to_json() | own for row, own in zip(rows, more, strict=True)], COLUMNS)


def as_json(rows: Sequence[CompareRow], gains: Sequence[Gain]) -> dict[str, Any]:
    """Rows with traces, and every figure that is derived of them."""
    return {
        "rows": [row.to_json() for row in rows],
        "charges_s": list(CHARGES),
        "summaries": [to_json(own) for own in summaries(rows)],
        "claims": [
            {**_plain(own), "median": _finite(own.middle), "lost": own.lost, "claimed": _claimed(own)}
            for own in claims(rows)
        ],
        "gains": [{**to_json(own), "gain": own.gain, "claimed": GAIN} for own in gains],
    }


def _plain(own: Versus) -> dict[str, Any]:
    studies = [{"study": s, "metric": m, "ratio": _finite(value)} for (s, m), value in own.studies.items()]
    return asdict(own) | {"studies": studies}


def _finite(value: float | None) -> float | None:
    """A ratio; ``None`` for an infinite one, where the other search had nothing yet."""
    return None if value is None or isinf(value) else value


def _claimed(own: Versus) -> float:
    return FASTER if own.what == "seconds" else BETTER


def claims(rows: Sequence[CompareRow]) -> list[Versus]:
    """Ours against the search in the manner of Spotlight, and against the best black-box search of each study."""
    there = {row.method for row in rows}
    pairs = [(ours, theirs) for ours in OURS for theirs in (SPOTLIGHT, None)]
    found = []
    for ours, theirs in pairs:
        if ours in there and (theirs in there or (theirs is None and there & set(BLACK_BOXES))):
            found += versus(rows, ours, theirs)
    return found


def text(rows: Sequence[CompareRow], gains: Sequence[Gain], *, width: int | None = 110, color: bool = False) -> str:
    """All tables."""
    return render(sections(rows, gains), width=width, color=color)


def as_markdown(rows: Sequence[CompareRow], gains: Sequence[Gain]) -> str:
    """All tables as Markdown."""
    return markdown([replace(section, notes=_listed(section.notes)) for section in sections(rows, gains)], level=2)


def _listed(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{BULLET}{note.removeprefix(BULLET)}" for note in notes)


def sections(rows: Sequence[CompareRow], gains: Sequence[Gain]) -> list[Section]:
    """Quality by study, the methods over all, the way to the best other's quality, chips, claims, gains."""
    found = summaries(rows)
    studies = list(dict.fromkeys((own.study, own.metric) for own in found))
    parts = [_one(own, found) for own in studies] if len(studies) == 1 else _several(found)
    parts += [_to_quality(found), _chips(rows), _claims(rows), _gains(gains)]
    notes = _missing([row for row in rows if row.note and row.kind != CHIP])
    return [part for part in (*parts, Section("notes", "What is missing", notes=notes)) if part]


def _missing(rows: Sequence[CompareRow]) -> tuple[str, ...]:
    """A sentence for each method and reason, with the studies and how many runs."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        studies = found.setdefault((row.method, row.note), {})
        where = f"{row.study}, {row.metric}"
        studies[where] = studies.get(where, 0) + 1
    return tuple(
        f"{BULLET}{f'{method}: ' if method else ''}{note} ({'; '.join(_counted(*own) for own in studies.items())})"
        for (method, note), studies in found.items()
    )


def _counted(where: str, runs: int) -> str:
    return where if runs == 1 else f"{where}: {runs} runs"


def _one(study: tuple[str, str], found: Sequence[Summary]) -> Section:
    """The methods on a single study."""
    columns = (
        *texts("method"),
        *figures("runs", "found", "value", "range", "gap to bound", "evaluations", "seconds"),
    )
    table = [
        (
            own.method,
            str(own.runs),
            str(own.found),
            number(own.value),
            _span(own.least, own.most),
            percent(own.gap),
            number(own.evaluations),
            number(own.seconds, 3),
        )
        for own in sorted(found, key=lambda own: (own.value is None, own.value or 0.0))
    ]
    notes = (
        "Value: step time relative to the baseline's, times W of a device for throughput-per-tdp; less is better. "
        "Medians over seeds.",
    )
    return Section("methods", f"Searches compared: {study[0]}, {study[1]}", columns, tuple(table), notes)


def _span(low: float | None, high: float | None) -> str:
    ends = dict.fromkeys((number(low), number(high)))
    return " … ".join(ends)


def _several(found: Sequence[Summary]) -> list[Section]:
    """A table by study for every metric, and one of the methods over all."""
    methods = list(dict.fromkeys(own.method for own in found))
    parts = []
    for metric in dict.fromkeys(own.metric for own in found):
        cells = {(own.study, own.method): own for own in found if own.metric == metric}
        table = [
            (study, *(_cell(cells.get((study, method))) for method in methods))
            for study in dict.fromkeys(study for study, _ in cells)
        ]
        notes = ("Median over seeds of the gap to a bound that no design of the space can beat; –: nothing found.",)
        columns = (*texts("model"), *figures(*methods))
        parts.append(Section(f"gap-{metric}", f"Gap to the bound: {metric}", columns, tuple(table), notes))
    columns = (
        *texts("method"),
        *figures("studies", "best", "quality", "worst", "nothing", "gap", "evaluations", "seconds"),
    )
    table = [_over_all(method, [own for own in found if own.method == method]) for method in methods]
    notes = (
        "Quality: best value that any run found on the study / median of the method; best: studies where it is 1 (to "
        "0.1 %); nothing: studies where half of its runs found no design. Evaluations and seconds of whole runs.",
    )
    return [*parts, Section("methods", "Methods over all studies", columns, tuple(table), notes)]


def _cell(own: Summary | None) -> str:
    return UNKNOWN if own is None else percent(own.gap)


def _over_all(method: str, own: Sequence[Summary]) -> tuple[str, ...]:
    known = [one.quality for one in own if one.quality is not None]
    gaps = [one.gap for one in own if one.gap is not None]
    return (
        method,
        str(len(own)),
        str(sum(quality >= 0.999 for quality in known)),
        percent(median(known)) if known else UNKNOWN,
        percent(min(known)) if known else UNKNOWN,
        str(len(own) - len(known)),
        percent(median(gaps)) if gaps else UNKNOWN,
        number(median(one.evaluations for one in own)),
        number(median(one.seconds for one in own), 3),
    )


def _to_quality(found: Sequence[Summary]) -> Section:
    """How far it is for each method to the best other's final quality."""
    asked = [own for own in found if own.target is not None]
    columns = (
        *texts("method"),
        *figures("studies", "reached", "evaluations", *(f"{_charge(charge)} [s]" for charge in CHARGES)),
    )
    table = []
    for method in dict.fromkeys(own.method for own in asked):
        mine = [own for own in asked if own.method == method]
        there = [own for own in mine if own.to_evaluations is not None]
        times = [_median(own.to_seconds[i] for own in there) for i in range(len(CHARGES))]
        counts = number(_median(own.to_evaluations for own in there))
        table.append((method, str(len(mine)), str(len(there)), counts, *(number(value, 3) for value in times)))
    notes = (
        "Reached: studies where half of the runs got as good as the best other method's median at the end; medians "
        "over those studies alone, so a method that reaches few is not the faster for it.",
    )
    return Section("to-quality", "To the best other's final quality", columns, tuple(table), notes if table else ())


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _charge(charge: float) -> str:
    return "native" if charge == 0 else f"+{charge:g} s"


def _times(row: CompareRow) -> float | None:
    return None if row.value is None or not row.baseline else row.baseline / row.value


def _chips(rows: Sequence[CompareRow]) -> Section:
    """Fixed chips, and the best that any search found, relative to the baseline."""
    chips = list(dict.fromkeys(row.method for row in rows if row.kind == CHIP))
    if not chips:
        return Section("chips", "")
    table, notes = [], []
    for key in dict.fromkeys((row.study, row.metric) for row in rows if row.method):
        own = [row for row in rows if (row.study, row.metric) == key]
        by_name = {row.method: row for row in own if row.kind == CHIP}
        best = max((_times(row) or 0.0 for row in own if row.kind != CHIP), default=0.0)
        cells = [_chip(by_name.get(name)) for name in chips]
        table.append((*key, *cells, number(best or None, 3)))
        notes += [f"{BULLET}{key[0]}, {key[1]}: {row.method} {row.note}" for row in by_name.values() if row.note]
    columns = (*texts("model", "metric"), *figures(*chips, "best search"))
    said = "Times the baseline" + ("" if not notes else "; *: see below" if len(notes) <= 6 else "; *: see --csv") + "."
    short = tuple(notes) if len(notes) <= 6 else ()
    return Section("chips", "Fixed chips", columns, tuple(table), (said, *short))


def _chip(row: CompareRow | None) -> str:
    """``None``: the comparison was interrupted before it."""
    return UNKNOWN if row is None else f"{number(_times(row), 3)}{'*' if row.note else ''}"


def _claims(rows: Sequence[CompareRow]) -> Section:
    """The paper's claims beside what is found."""
    columns = (
        *texts("search", "against", "ratio", "per evaluation"),
        *figures("median", "least", "most", "studies", "lost", "silent", "paper"),
    )
    table = []
    for own in claims(rows):
        values = list(own.studies.values())
        ends = (number(min(values), 3), number(max(values), 3)) if values else (UNKNOWN, UNKNOWN)
        counts = (str(len(values)), str(own.lost), str(own.silent))
        middle = number(own.middle, 3)
        table.append(
            (own.ours, own.theirs, own.what, _charge(own.charge), middle, *ends, *counts, f"{_claimed(own):g}")
        )
    notes = (
        "seconds: those of the other search to its own final quality / those of ours to the same, 0 where ours never "
        "reached it. throughput: value of the other / ours when a limit ended the first of both; at the end: each at "
        "its own, whatever that took.",
        "lost: studies with less than 1; silent: studies where the other found nothing, left out of the ratios.",
        "The paper (arXiv 2404.14632) claims 31 and 12 against Spotlight, each search on an evaluator of its own; here "
        "all have one evaluator.",
    )
    return Section("claims", "The paper's claims on one evaluator", columns, tuple(table), notes if table else ())


def _gains(gains: Sequence[Gain]) -> Section:
    """The gain over the baseline, one factor at a time."""
    if not gains:
        return Section("gains", "")
    factors = list(dict.fromkeys(what for own in gains for what, _ in own.factors()))
    table = []
    for own in gains:
        cells = dict(own.factors())
        row = (number(cells[what], 4) if what in cells else "" for what in factors)
        most = UNKNOWN if own.most is None else percent(own.most)
        table.append((own.study, *row, percent(own.gain), most, own.found_by))
    columns = (*texts("model"), *figures(*factors, "gain", "at most"), *texts("found by"))
    middle = median(own.gain for own in gains)
    notes = (
        f"Throughput over {gains[0].baseline}'s, factor by factor in this order, all with list schedules and one rule "
        "for splitting operators. At most: certified; of a pipeline for its slowest stage.",
        f"Median gain {percent(middle)}; the paper claims {percent(GAIN)}.",
    )
    return Section("gains", "Gain over the baseline, one factor at a time", columns, tuple(table), notes)
