"""The rows of a comparison, study by study: kept in run folders, read from there, measured where they are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from accmine.errors import InfeasibleError
from accmine.files import load_yaml, validate
from accmine.plan import given_study
from accmine.questions.compare.gain import Gain, gain_of
from accmine.questions.compare.measure import Terms, measure, measure_chip, terms_of
from accmine.questions.compare.methods import seeds_of
from accmine.questions.compare.record import CompareRow
from accmine.questions.gap.cases import Case, cases, suite_cases
from accmine.questions.run.folder import RunFolder, open_run, task_key
from accmine.report import from_json, to_json
from accmine.study import Study, effective
from accmine.study.comparison import LoadedComparison
from accmine.workers import workers as pool_of

__all__ = ["Asked", "cases_of", "rows_of"]


@dataclass(frozen=True)
class Asked:
    """What is measured on every study.

    Attributes
    ----------
    seconds, evaluations
        Limits of every search; ``None`` for none.
    fixed
        Chips of the catalogue.
    """

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    seconds: float | None
    evaluations: int | None
    fixed: tuple[str, ...] = ()

    def jobs(self) -> list[tuple[str, int]]:
        """(method, seed) of every run on a study."""
        return [(method, seed) for method in self.methods for seed in seeds_of(method, self.seeds)]


def cases_of(loaded: LoadedComparison, overrides: Sequence[str] = ()) -> list[Case]:
    """The studies of a comparison; ``overrides`` change a key of every study of a suite.

    Raises
    ------
    InputError
        For an unknown suite, model or metric, or a study whose placement is to be decided.
    """
    block = loaded.compare
    if loaded.loaded is not None:
        return cases([given_study(loaded.loaded)])
    assert block.suite is not None
    found = suite_cases(block.suite, block.models, block.metrics, overrides=overrides)
    return [case if case.study is None else replace(case, metric=case.study.minimised) for case in found]


class _Study:
    """One study of a comparison; what its runs have in common is made when the first is missing."""

    def __init__(self, case: Case, asked: Asked, runs: Path | None, again: bool) -> None:
        assert case.study is not None
        self.name, self.study, self.asked, self.again = case.name, case.study, asked, again
        self.folder: RunFolder | None = None if runs is None else open_run(runs, case.study)
        self.text = effective(case.study)

    @property
    def terms(self) -> Terms:
        """Of the study."""
        return _terms(self.name, self.text, self.asked.fixed)

    def kept(self, key: str) -> dict[str, Any] | None:
        """What an earlier comparison kept."""
        return None if self.folder is None or self.again else self.folder.get(key)

    def keep(self, key: str, value: dict[str, Any]) -> None:
        """For later comparisons."""
        if self.folder is not None:
            self.folder.put(key, value)

    def key(self, method: str, seed: int) -> str:
        """Of the run of a method."""
        limits = {"seconds": self.asked.seconds, "evaluations": self.asked.evaluations}
        return f"compare-{method}-{task_key(seed=seed, **limits)[:12]}"

    def row(self, key: str) -> CompareRow | None:
        """A kept row."""
        found = self.kept(key)
        if found is None:
            return None
        return replace(from_json(CompareRow, found, f"{key}.json"), study=self.name, reused=True)


@lru_cache(maxsize=1)
def _terms(name: str, text: str, chips: tuple[str, ...]) -> Terms:
    return terms_of(name, validate(load_yaml(text=text, name=name), Study), chips)


def _job(name: str, text: str, asked: Asked, method: str, seed: int) -> CompareRow:
    """A run in a process of its own."""
    return measure(_terms(name, text, asked.fixed), method, seed, asked.seconds, asked.evaluations)


def rows_of(
    cases: Sequence[Case],
    asked: Asked,
    *,
    runs: Path | None = None,
    again: bool = False,
    workers: int = 1,
    on_case: Callable[[str], None] = lambda _: None,
) -> Iterator[CompareRow | Gain]:
    """The rows of each study, then the way from the baseline to its best design.

    Parameters
    ----------
    runs
        Folder of run folders, where rows are kept; ``None`` keeps and reads nothing.
    again
        Measure also what is there.
    workers
        Runs at a time; with more than one they slow each other down, and so their seconds.

    Raises
    ------
    InputError
        If a study or a method is wrong.
    CheckError
        If a value is below a bound.
    """
    for case in cases:
        if case.study is None:
            yield CompareRow(case.name, case.metric, note=case.note)
            continue
        own = _Study(case, asked, runs, again)
        try:
            found: list[CompareRow] = []
            for row in _searches(own, workers, on_case):
                found.append(row)
                yield row
            yield from _chips(own)
            yield from _gain(own, found)
        except InfeasibleError as error:
            note = f"infeasible: {'; '.join(str(error).splitlines())}"
            yield CompareRow(case.name, case.study.minimised, note=note)


def _searches(own: _Study, workers: int, on_case: Callable[[str], None]) -> Iterator[CompareRow]:
    jobs = [(method, seed, own.row(own.key(method, seed))) for method, seed in own.asked.jobs()]
    missing = [(method, seed) for method, seed, row in jobs if row is None]
    if workers == 1 or len(missing) < 2:
        for method, seed, known in jobs:
            if known is None:
                on_case(f"{own.name}, {own.study.objective}: {method}, seed {seed}")
                found = measure(own.terms, method, seed, own.asked.seconds, own.asked.evaluations)
                own.keep(own.key(method, seed), found.to_json())
            yield known or found
        return
    with pool_of(workers, []) as executor:
        assert executor is not None
        on_case(f"{own.name}, {own.study.objective}: {len(missing)} runs")
        futures = {job: executor.submit(_job, own.name, own.text, own.asked, *job) for job in missing}
        for method, seed, known in jobs:
            if known is None:
                found = futures[method, seed].result()
                own.keep(own.key(method, seed), found.to_json())
            yield known or found


def _chips(own: _Study) -> Iterator[CompareRow]:
    for name in own.asked.fixed:
        key = f"compare-chip-{task_key(chip=name)[:12]}"
        row = own.row(key)
        if row is None:
            row = measure_chip(own.terms, name)
            own.keep(key, row.to_json())
        yield row


def _gain(own: _Study, rows: Sequence[CompareRow]) -> Iterator[Gain]:
    """From the baseline to the best design, for studies whose throughput is that of one workload."""
    best = min((row for row in rows if row.value is not None), key=lambda row: row.value or 0.0, default=None)
    if best is None or not own.study.by_throughput or len(own.study.workloads) > 1:
        return
    key = f"compare-gain-{task_key(design=best.design)[:12]}"
    found = own.kept(key)
    if found is None:
        found = to_json(gain_of(own.terms, best.tunables))
        own.keep(key, found)
    yield replace(from_json(Gain, found, key), study=own.name, found_by=best.method, bound=best.bound)
