"""Records of solvers of operator schedules side by side: rows, and what they come to by problem and by study."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from accmine.errors import CheckError
from accmine.questions.gap.schedules.problems import PhaseProblem
from accmine.report import to_json
from accmine.result import gap

__all__ = ["Bound", "Duel", "Found", "ScheduleRow", "Summary", "duels", "summaries"]


@dataclass(frozen=True)
class Bound:
    """What no schedule of a problem is below, in cycles, and how it is proved."""

    value: int
    proof: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return to_json(self)


@dataclass(frozen=True)
class ScheduleRow:
    """One solver on one problem with one seed and limit.

    Attributes
    ----------
    study, model, stages, phase, design, problem
        Of the problem (``PhaseProblem``); ``problem`` is its name.
    operations, repeats, cycle_s
        Operations of the problem, its runs in a step on all devices, seconds of a cycle.
    method, seed, limit_s
        The solver, its seed and its limit.
    makespan
        Cycles of its verified schedule; ``None`` for a failure.
    own_bound, own_proof, believed
        What the solver itself says it has proven, and whether its code is accmine's: only then it counts for others.
    bound, proof
        The best that is proven for the problem, by anyone.
    gap
        (makespan − bound) / makespan, 0 to 1.
    seconds, stop
        Wall-clock of the solver, and why it ended.
    failure
        Why there is no schedule; empty where there is one.
    note
        That its bound cannot be true.
    reused
        Whether the row was read back from a run folder.
    """

    study: str
    model: str
    stages: tuple[int, ...]
    phase: str
    design: str
    problem: str
    operations: int
    repeats: int
    cycle_s: float
    method: str
    seed: int
    limit_s: float
    makespan: int | None = None
    own_bound: int | None = None
    own_proof: str = ""
    believed: bool = False
    bound: int | None = None
    proof: str = ""
    gap: float | None = None
    seconds: float | None = None
    stop: str = ""
    failure: str = ""
    note: str = ""
    reused: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the fields."""
        return to_json(self)


@dataclass
class Found:
    """What is measured by now: bounds by problem, and rows by their place in the table."""

    bounds: dict[tuple[str, str], Bound] = field(default_factory=dict)
    answers: dict[int, ScheduleRow] = field(default_factory=dict)

    def take(self, place: int, own: PhaseProblem, answer: Bound | ScheduleRow) -> None:
        """Note a bound or a row."""
        if isinstance(answer, Bound):
            self.bounds[own.study, own.name] = answer
        else:
            self.answers[place] = answer

    def rows(self) -> list[ScheduleRow]:
        """All rows in order, with the best bound of their problem and the gap from it.

        Raises
        ------
        CheckError
            If a bound excludes a verified schedule.
        """
        best, least = dict(self.bounds), dict[tuple[str, str], int]()
        for row in self.answers.values():
            key = row.study, row.problem
            if row.makespan is not None:
                least[key] = min(row.makespan, least.get(key, row.makespan))
            if row.believed and row.own_bound is not None and (key not in best or row.own_bound > best[key].value):
                best[key] = Bound(row.own_bound, f"{row.own_proof} ({row.method})")
        for key, bound in best.items():
            if least.get(key, bound.value) < bound.value:
                raise CheckError(f"{key[1]}: bound {bound.value} excludes a verified schedule of {least[key]}")
        return [self._rated(row, best, least) for _, row in sorted(self.answers.items())]

    @staticmethod
    def _rated(
        row: ScheduleRow, best: Mapping[tuple[str, str], Bound], least: Mapping[tuple[str, str], int]
    ) -> ScheduleRow:
        key, note = (row.study, row.problem), row.note
        if row.own_bound is not None and key in least and row.own_bound > least[key]:
            note = f"claims a bound of {row.own_bound}, which a schedule of {least[key]} refutes"
        if key not in best:
            return replace(row, note=note)
        own = best[key]
        return replace(row, bound=own.value, proof=own.proof, gap=gap(row.makespan, own.value), note=note)


@dataclass(frozen=True)
class Summary:
    """All seeds of a solver on a problem, or on all problems of a study together.

    Of a study the value is the time of all phases of a step on all devices, one after the other: Σ makespan × repeats.
    The gap is that of this sum from the sum of bounds. A seed that fails on one problem fails.

    Attributes
    ----------
    study, problem, method, limit_s
        What it is of; ``problem`` is empty for the study.
    runs, failures
        Seeds, and those without a value.
    mean_s, least_s, most_s
        Values in seconds of the device over the seeds that have one; ``None`` if none has.
    bound_s
        What no value is below.
    gap, gap_least, gap_most, gap_deviation
        Mean, least and largest gap, 0 to 1, and the sample standard deviation (``None`` for fewer than two).
    seconds
        Mean wall-clock of the solver, over all problems of the study.
    """

    study: str
    problem: str
    method: str
    limit_s: float
    runs: int
    failures: int
    mean_s: float | None
    least_s: float | None
    most_s: float | None
    bound_s: float | None
    gap: float | None
    gap_least: float | None
    gap_most: float | None
    gap_deviation: float | None
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return to_json(self)


def summaries(rows: Sequence[ScheduleRow], *, by_problem: bool) -> list[Summary]:
    """By problem, or by study; in the order of the rows."""
    groups: dict[tuple[str, str, str, float], list[ScheduleRow]] = {}
    for row in rows:
        groups.setdefault((row.study, row.problem if by_problem else "", row.method, row.limit_s), []).append(row)
    problems = {study: {row.problem for row in rows if row.study == study} for study, *_ in groups}
    return [_summary(*key, own, {key[1]} if by_problem else problems[key[0]]) for key, own in groups.items()]


def _summary(
    study: str, problem: str, method: str, limit_s: float, rows: Sequence[ScheduleRow], needed: set[str]
) -> Summary:
    seeds: dict[int, list[ScheduleRow]] = {}
    for row in rows:
        seeds.setdefault(row.seed, []).append(row)
    whole = [own for own in seeds.values() if {r.problem for r in own if r.makespan is not None} == needed]
    values = [_total(own, lambda row: row.makespan) for own in whole]
    known = {row.problem: row for row in rows if row.bound is not None}
    bound = _total(list(known.values()), lambda row: row.bound) if set(known) == needed else None
    gaps = [] if bound is None else [gap(value, bound) or 0.0 for value in values]
    spent = [sum(row.seconds or 0.0 for row in own) for own in whole]
    return Summary(
        study=study,
        problem=problem,
        method=method,
        limit_s=limit_s,
        runs=len(seeds),
        failures=len(seeds) - len(whole),
        mean_s=_mean(values),
        least_s=min(values, default=None),
        most_s=max(values, default=None),
        bound_s=bound,
        gap=_mean(gaps),
        gap_least=min(gaps, default=None),
        gap_most=max(gaps, default=None),
        gap_deviation=statistics.stdev(gaps) if len(gaps) > 1 else None,
        seconds=_mean(spent),
    )


def _total(rows: Iterable[ScheduleRow], value: Callable[[ScheduleRow], int | None]) -> float:
    return sum((value(row) or 0) * row.repeats * row.cycle_s for row in rows)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


@dataclass(frozen=True)
class Duel:
    """How often the mean of one solver is less than that of another; one with a failed seed loses to one without.

    Attributes
    ----------
    one, other
        Their names.
    what
        ``problem`` or ``study``: what is counted.
    wins, ties, losses
        Of ``one``.
    lost
        Where ``one`` loses.
    """

    one: str
    other: str
    what: str
    wins: int
    ties: int
    losses: int
    lost: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return to_json(self)


def duels(found: Sequence[Summary], what: str) -> list[Duel]:
    """Every two solvers on the problems, or the studies, that both were asked about, at equal limits."""
    table: dict[str, dict[tuple[str, str, float], tuple[int, float]]] = {}
    for own in found:
        # Failed seeds weigh before the mean; without a value there is nothing to compare.
        score = own.failures, float("inf") if own.mean_s is None else own.mean_s
        table.setdefault(own.method, {})[own.study, own.problem, own.limit_s] = score
    results = []
    for one, other in combinations(table, 2):
        pairs = {place: (table[one][place], table[other][place]) for place in table[one] if place in table[other]}
        lost = [place[1] or place[0] for place, (a, b) in pairs.items() if a > b]
        wins = sum(a < b for a, b in pairs.values())
        results.append(Duel(one, other, what, wins, len(pairs) - wins - len(lost), len(lost), tuple(lost)))
    return results
