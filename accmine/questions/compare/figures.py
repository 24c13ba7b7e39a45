"""Figures of a comparison, which are arithmetic on its rows: qualities, times to a quality, and the paper's claims.

A second charged per evaluation turns the moments of a trace into ``seconds + charge × evaluations``: what the same
search would take if every evaluation were so much slower. Nothing is run again for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

from accmine.questions.compare.methods import BLACK_BOXES
from accmine.questions.compare.record import SEARCH, CompareRow
from accmine.search import excess

__all__ = ["CHARGES", "Summary", "Versus", "best_black_box", "reached", "summaries", "value_at", "versus"]

CHARGES = (0.0, 1.0, 60.0)
"""Seconds charged per evaluation."""

_EQUAL = 1 + 1e-9

Key = tuple[str, str]
"""(study, metric)."""


def searches(rows: Iterable[CompareRow]) -> dict[Key, dict[str, list[CompareRow]]]:
    """Runs of methods by study and metric, then by method."""
    found: dict[Key, dict[str, list[CompareRow]]] = {}
    for row in rows:
        if row.kind == SEARCH and row.method:
            found.setdefault((row.study, row.metric), {}).setdefault(row.method, []).append(row)
    return found


def _final(row: CompareRow) -> float:
    return inf if row.value is None else row.value


def _middle(runs: Sequence[CompareRow]) -> float:
    """Median of the values at the end; ``inf`` where half of the runs found nothing."""
    return median(_final(row) for row in runs)


def reached(row: CompareRow, value: float, charge: float = 0.0) -> tuple[float, float] | None:
    """(evaluations, charged seconds) until a run was at least as good; ``None``: it never was."""
    for count, at, best in row.trace:
        if best <= value * _EQUAL:
            return count, at + charge * count
    return None


def end(row: CompareRow, charge: float) -> float:
    """Charged seconds of a whole run."""
    return row.seconds + charge * row.evaluations


def value_at(row: CompareRow, moment: float, charge: float) -> float:
    """Best value of a run by a moment in charged seconds; ``inf`` before there is one."""
    return min((best for count, at, best in row.trace if at + charge * count <= moment), default=inf)


@dataclass(frozen=True)
class Summary:
    """One method on one study over its seeds; ``None`` where it does not apply.

    Attributes
    ----------
    runs, found
        Runs, and those that found a design.
    value, least, most
        Median of the values at the end, and their range.
    quality
        Best known value of the study / median, 0 to 1: 1 is the best that any run found.
    gap, gap_least, gap_most
        Of the values from the bound of the study.
    evaluations, seconds
        Medians of whole runs.
    target, target_by
        The best median of another method, and whose that is.
    hits
        Runs that reached it.
    to_evaluations
        Median evaluations to it.
    to_seconds
        Median seconds to it by charge; of all runs: ``None`` where half never reached it.
    """

    study: str
    metric: str
    method: str
    runs: int
    found: int
    value: float | None
    least: float | None
    most: float | None
    quality: float | None
    gap: float | None
    gap_least: float | None
    gap_most: float | None
    evaluations: float
    seconds: float
    target: float | None
    target_by: str
    hits: int
    to_evaluations: float | None
    to_seconds: tuple[float | None, ...]


def summaries(rows: Iterable[CompareRow]) -> list[Summary]:
    """Every method on every study."""
    found = []
    for key, by_method in searches(rows).items():
        best = min(_final(row) for runs in by_method.values() for row in runs)
        bound = max((row.bound for runs in by_method.values() for row in runs if row.bound), default=None)
        for method, runs in by_method.items():
            others = [(_middle(own), name) for name, own in by_method.items() if name != method]
            found.append(_summary(key, method, runs, best, bound, min(others, default=(inf, ""))))
    return found


def _summary(
    key: Key, method: str, runs: Sequence[CompareRow], best: float, bound: float | None, other: tuple[float, str]
) -> Summary:
    values = sorted(map(_final, runs))
    middle, target = median(values), other[0]
    hits = [[None if target == inf else reached(row, target, charge) for row in runs] for charge in CHARGES]

    def time(at: int, charge: int = 0) -> float | None:
        return _finite(median(inf if hit is None else hit[at] for hit in hits[charge]))

    gaps = [excess(value, bound) for value in (middle, values[0], values[-1])]
    return Summary(
        study=key[0],
        metric=key[1],
        method=method,
        runs=len(runs),
        found=sum(value < inf for value in values),
        value=_finite(middle),
        least=_finite(values[0]),
        most=_finite(values[-1]),
        quality=None if middle == inf else best / middle,
        gap=gaps[0],
        gap_least=gaps[1],
        gap_most=gaps[2],
        evaluations=median(row.evaluations for row in runs),
        seconds=median(row.seconds for row in runs),
        target=_finite(target),
        target_by=other[1] if target < inf else "",
        hits=sum(hit is not None for hit in hits[0]),
        to_evaluations=time(0),
        to_seconds=tuple(time(1, i) for i in range(len(CHARGES))),
    )


def _finite(value: float) -> float | None:
    return value if value < inf else None


def best_black_box(by_method: dict[str, list[CompareRow]]) -> str | None:
    """The black-box search of the best median on a study; ``None`` if none found anything."""
    found = [(_middle(by_method[name]), i, name) for i, name in enumerate(BLACK_BOXES) if name in by_method]
    value, _, name = min(found, default=(inf, 0, ""))
    return name if value < inf else None


@dataclass(frozen=True)
class Versus:
    """One method against another over all studies.

    Attributes
    ----------
    what
        ``seconds``: theirs to their own final quality / ours to the same, 0 where ours never reached it.
        ``throughput``: their value / ours when the first of both was ended by its limits, in charged seconds.
        ``throughput at the end``: the same of the ends of both, whatever they took.
    charge
        Seconds charged per evaluation.
    studies
        Value of every study: median over pairs of seeds.
    silent
        Studies where theirs found nothing, which count in neither.
    """

    ours: str
    theirs: str
    what: str
    charge: float
    studies: dict[Key, float]
    silent: int

    @property
    def middle(self) -> float | None:
        """Median over the studies."""
        return median(self.studies.values()) if self.studies else None

    @property
    def lost(self) -> int:
        """Studies with less than 1."""
        return sum(value < 1 for value in self.studies.values())


def versus(rows: Sequence[CompareRow], ours: str, theirs: str | None) -> list[Versus]:
    """Both ratios at every charge; ``theirs`` of ``None`` is the best black-box search of each study."""
    table = searches(rows)
    found = []
    ratios = [
        (what, charge, ratio) for what, ratio in (("seconds", _faster), ("throughput", _better)) for charge in CHARGES
    ]
    for what, charge, ratio in [*ratios, ("throughput at the end", 0.0, _at_the_end)]:
        studies, silent = {}, 0
        for key, by_method in table.items():
            name = theirs or best_black_box(by_method)
            if ours not in by_method or (name is not None and name not in by_method):
                continue
            value = None if name is None else _ratio(by_method[ours], by_method[name], charge, ratio)
            silent += value is None
            if value is not None:
                studies[key] = value
        found.append(Versus(ours, theirs or "the best black-box search", what, charge, studies, silent))
    return found


def _ratio(
    ours: Sequence[CompareRow],
    theirs: Sequence[CompareRow],
    charge: float,
    ratio: Callable[[CompareRow, CompareRow, float], float],
) -> float | None:
    """Median over pairs of runs; ``None`` if theirs found nothing in half of them."""
    if _middle(theirs) == inf:
        return None
    values = [ratio(a, b, charge) for b in theirs if b.value is not None for a in ours]
    return median(values)


def _faster(ours: CompareRow, theirs: CompareRow, charge: float) -> float:
    count, at, value = theirs.trace[-1]
    mine = reached(ours, value, charge)
    return 0.0 if mine is None else (at + charge * count) / max(mine[1], 1e-9)


def _better(ours: CompareRow, theirs: CompareRow, charge: float) -> float:
    """Of the moment at which a limit ended the first of both; who came to an own end keeps its value."""
    ends = [end(row, charge) for row in (ours, theirs) if not row.finished]
    moment = min(ends, default=inf)
    mine, other = (value_at(row, moment, charge) for row in (ours, theirs))
    return _over(other, mine)


def _at_the_end(ours: CompareRow, theirs: CompareRow, charge: float) -> float:
    del charge
    return _over(_final(theirs), _final(ours))


def _over(theirs: float, ours: float) -> float:
    """1 where neither has anything yet."""
    return (1.0 if theirs == inf else 0.0) if ours == inf else theirs / ours
