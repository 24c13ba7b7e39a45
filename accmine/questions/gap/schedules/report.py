"""Solvers of operator schedules side by side, as text, CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accmine.questions.gap.schedules.record import Duel, ScheduleRow, Summary, duels, summaries
from accmine.report import BULLET, UNKNOWN, Section, csv, figures, percent, seconds, texts

__all__ = ["COLUMNS", "as_csv", "as_json", "sections"]

COLUMNS = (
    *("study", "model", "stages", "phase", "design", "problem", "operations", "repeats", "cycle_s"),
    *("method", "seed", "limit_s", "makespan", "own_bound", "bound", "gap", "seconds", "stop"),
    *("proof", "own_proof", "failure", "note", "reused"),
)
"""Columns of the CSV, always all of them."""

_SHOWN = 12
"""Failures, and problems that a solver loses, that are spelled out."""


def as_csv(rows: Sequence[ScheduleRow]) -> str:
    """All rows with all columns; numbers in full, gaps as shares 0 to 1, empty where there is no value."""
    return csv.render([row.to_json() | {"stages": " ".join(map(str, row.stages))} for row in rows], COLUMNS)


def as_json(rows: Sequence[ScheduleRow]) -> dict[str, Any]:
    """Rows, what they come to by study and by problem, and every two solvers against each other."""
    studies, problems = summaries(rows, by_problem=False), summaries(rows, by_problem=True)
    return {
        "rows": [row.to_json() for row in rows],
        "studies": [own.to_json() for own in studies],
        "problems": [own.to_json() for own in problems],
        "duels": [own.to_json() for own in (*duels(studies, "study"), *duels(problems, "problem"))],
    }


def sections(rows: Sequence[ScheduleRow], needs: Mapping[str, str], *, by_problem: bool) -> list[Section]:
    """The tables: gaps by study, by problem if wanted, and who wins how often.

    Parameters
    ----------
    needs
        Study -> what accmine lacks to run it: its schedules are those without.
    """
    studies, problems = summaries(rows, by_problem=False), summaries(rows, by_problem=True)
    title = "Step of each study: all phases on all devices" if by_problem else "Step of each model"
    found = [_gaps("schedules", title, studies, [*_proofs(rows), *_notes(rows), *_lacking(rows, needs)])]
    if by_problem:
        found.append(_gaps("problems", "Problem by problem", problems, []))
    fights = [*duels(studies, "study"), *duels(problems, "problem")]
    return [*found, _duels(fights)] if fights else found


def _gaps(key: str, title: str, found: Sequence[Summary], notes: Sequence[str]) -> Section:
    limits = len({own.limit_s for own in found}) > 1
    table = [
        (
            own.problem or own.study,
            own.method,
            *([f"{own.limit_s:g}"] if limits else []),
            f"{own.runs - own.failures}/{own.runs}",
            seconds(own.mean_s),
            *(percent(gap) for gap in (own.gap, own.gap_least, own.gap_most, own.gap_deviation)),
            UNKNOWN if own.seconds is None else f"{own.seconds:.1f}",
        )
        for own in found
    ]
    columns = (
        *texts("problem" if any(own.problem for own in found) else "study", "solver"),
        *figures(*(["limit [s]"] if limits else []), "runs", "mean", "gap", "least", "most", "dev.", "s"),
    )
    return Section(key, title, columns, tuple(table), tuple(notes))


def _proofs(rows: Sequence[ScheduleRow]) -> list[str]:
    """What a reader of the numbers has to know."""
    designs = ", ".join(dict.fromkeys(row.design for row in rows))
    limits = ", ".join(f"{limit:g}" for limit in dict.fromkeys(row.limit_s for row in rows))
    return [
        f"Design {designs}, {limits} s per schedule and solver, one thread.",
        "mean, gap, least, most, dev.: over the seeds; gap = (value - bound) / value, from the best proven bound.",
        "runs: seeds with a verified schedule of every phase, of all seeds; s: seconds of the solver.",
    ]


def _notes(rows: Sequence[ScheduleRow]) -> list[str]:
    """Failures and false proofs, with their reasons."""
    found = [
        f"{BULLET}{row.problem}, {row.method}, seed {row.seed}: {row.failure or row.note}"
        for row in rows
        if row.failure or row.note
    ]
    more = len(found) - _SHOWN
    found = found if more <= 0 else [*found[:_SHOWN], f"{BULLET}and {more} more: --csv has all"]
    reused = sum(row.reused for row in rows)
    return [*found, *([f"{BULLET}{reused} of {len(rows)} rows read from their run folders"] if reused else [])]


def _lacking(rows: Sequence[ScheduleRow], needs: Mapping[str, str]) -> list[str]:
    names = dict.fromkeys(row.study for row in rows)
    return [f"{BULLET}{name}: schedules of the model without {needs[name]}" for name in names if needs.get(name)]


def _duels(found: Sequence[Duel]) -> Section:
    kinds = {"study": "steps", "problem": "problems"}
    table = [
        (own.one, own.other, kinds[own.what], *(str(count) for count in (own.wins, own.ties, own.losses)))
        for own in found
    ]
    notes = []
    for own in found:
        if own.what == "problem" and own.lost:
            more = len(own.lost) - _SHOWN
            listed = ", ".join(own.lost[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
            notes.append(f"{BULLET}{own.one} loses to {own.other} on {listed}")
    columns = (*texts("solver", "against", "on"), *figures("wins", "ties", "losses"))
    return Section("duels", "By the mean over seeds", columns, tuple(table), tuple(notes))
