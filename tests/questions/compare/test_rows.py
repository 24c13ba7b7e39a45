"""Rows: kept and read back, in processes of their own, and what a study that fails leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.questions.compare import rows as module
from accmine.questions.compare.gain import Gain
from accmine.questions.compare.record import CHIP, SEARCH, CompareRow
from accmine.questions.compare.rows import Asked, rows_of
from accmine.questions.gap.cases import Case
from tests.samples.gap_sample import study
from tests.samples.search_sample import folder

ASKED = Asked(("wham-like", "random"), (0, 1), None, 6, (str(folder() / "base.yaml"),))


def case(**keys: Any) -> Case:
    return Case("tiny", study(**keys))


def bare(rows: list[CompareRow | Gain]) -> list[CompareRow | Gain]:
    """Without what differs between equal measurements."""

    def one(row: CompareRow | Gain) -> CompareRow | Gain:
        if isinstance(row, Gain):
            return row
        return replace(row, seconds=0.0, wall_s=0.0, reused=False, trace=tuple((n, 0.0, v) for n, _, v in row.trace))

    return list(map(one, rows))


def test_every_run_has_a_row_then_chips_then_the_gain() -> None:
    rows = list(rows_of([case()], ASKED))
    searches = [(r.method, r.seed) for r in rows if isinstance(r, CompareRow) and r.kind == SEARCH]
    assert searches == [("wham-like", 0), ("random", 0), ("random", 1)]
    assert [r.kind for r in rows if isinstance(r, CompareRow)][3:] == [CHIP]
    gain = rows[-1]
    assert isinstance(gain, Gain)
    assert gain.steps[0].samples_per_s > 0
    best = min(r.value for r in rows if isinstance(r, CompareRow) and r.kind == SEARCH and r.value)
    assert 1 / best - 1.001 < gain.gain < 1.01 / best - 1, "list schedules of a step more than a search makes"
    product = 1.0
    for _, factor in gain.factors():
        product *= factor
    assert product == pytest.approx(1 + gain.gain)
    assert gain.most is not None
    assert gain.most >= gain.gain * (1 - 1e-12)


def test_rows_are_kept_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(rows_of([case()], ASKED, runs=tmp_path))
    monkeypatch.setattr(module, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(module, "terms_of", lambda *_: pytest.fail("made again"))
    module._terms.cache_clear()
    again = list(rows_of([case()], ASKED, runs=tmp_path))
    assert all(r.reused for r in again if isinstance(r, CompareRow))
    assert [replace(r, reused=False) if isinstance(r, CompareRow) else r for r in again] == first


def test_other_limits_or_seeds_are_other_rows(tmp_path: Path) -> None:
    list(rows_of([case()], ASKED, runs=tmp_path))
    more = replace(ASKED, evaluations=7, seeds=(1, 2))
    rows = [r for r in rows_of([case()], more, runs=tmp_path) if isinstance(r, CompareRow) and r.kind == SEARCH]
    assert not any(r.reused for r in rows)
    same = [r for r in rows_of([case()], replace(ASKED, seeds=(0, 2)), runs=tmp_path) if isinstance(r, CompareRow)]
    assert [(r.method, r.seed) for r in same if r.reused and r.kind == SEARCH] == [("wham-like", 0), ("random", 0)]
    again = [r for r in rows_of([case()], ASKED, runs=tmp_path, again=True) if isinstance(r, CompareRow)]
    assert not any(r.reused for r in again)


def test_a_killed_comparison_goes_on(tmp_path: Path) -> None:
    """What was kept before the process died is not measured again."""
    first = rows_of([case()], ASKED, runs=tmp_path)
    next(first), next(first)
    del first
    rows = [r for r in rows_of([case()], ASKED, runs=tmp_path) if isinstance(r, CompareRow)]
    assert [r.reused for r in rows if r.kind == SEARCH] == [True, True, False]


@pytest.mark.full
def test_in_processes_of_their_own_the_rows_are_the_same() -> None:
    assert bare(list(rows_of([case()], ASKED, workers=2))) == bare(list(rows_of([case()], ASKED)))


def test_a_study_without_a_solution_is_a_row_with_its_reason() -> None:
    cases = [case(limits={"area": "1 mm^2"}), Case("big", None, metric="throughput", note="needs more")]
    infeasible, needs = rows_of(cases, ASKED)
    assert isinstance(infeasible, CompareRow)
    assert infeasible.note.startswith("infeasible: ")
    assert (needs.study, needs.note) == ("big", "needs more")  # type: ignore[union-attr]
