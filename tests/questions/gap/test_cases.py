"""Sweeps: combinations, options, run folders, suites, interrupts, and rows that do not depend on their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from accmine import registry
from accmine.errors import InputError
from accmine.questions.gap import cases as gap
from accmine.questions.gap.cases import Case, cases, options_of, suite_cases, sweep
from accmine.questions.gap.measure import Ground
from accmine.questions.gap.record import WHOLE, GapRow
from accmine.questions.run.folder import list_runs
from accmine.solvers.design_search.wham_options import Options
from accmine.study import HEURISTIC_OPTIONS, Search
from accmine.study.suite import Entry
from tests.samples.gap_sample import KEYS, no_prover, study, without_prover  # noqa: F401 — the last is used by every test


def value_of(row: GapRow) -> GapRow:
    """The row without what differs between equal measurements."""
    trace = tuple((0.0, objective, bound) for _, objective, bound in row.trace)
    return replace(row, seconds=0.0, heuristic_s=0.0, trace=trace, reused=False)


def test_the_options_of_a_study_are_those_of_the_heuristic() -> None:
    assert set(HEURISTIC_OPTIONS) == {option.name for option in fields(Options)}
    assert Options(**Search().options()) == Options()


def test_options_become_values() -> None:
    found = options_of(["hysteresis=0, 2", "growth=double,one", "bound_pruning=false", "min_gain=0.01"])
    assert found == {"hysteresis": [0, 2], "growth": ["double", "one"], "bound_pruning": [False], "min_gain": [0.01]}
    assert options_of([]) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("histeresis=1", r"unknown option; did you mean 'hysteresis'\? allowed: top_k, hysteresis, start"),
        ("growth=tripled", "must be one of double, one"),
        ("top_k=0", "must be greater than or equal to 1"),
        ("polish=1.5", "polish"),
        ("min_gain=1", "must be less than 1"),
        ("order=", "needs values"),
        ("order", "needs values"),
        ("hysteresis=1,", "needs values"),
        ("hysteresis=[1", r"--option hysteresis=\[1: hysteresis: not valid YAML"),
        ("hysteresis={a: 1}", "must be a whole number"),
        ("hysteresis=010", "010 has a leading zero; write 10"),
        ("refine=none", "unknown option"),
    ],
)
def test_wrong_options_are_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        options_of([text])
    assert f"--option {text}" in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        options_of(["colour=red", "growth=x", "top_k=1", "top_k=2"])
    assert len(caught.value.complaints) == 3


def test_combinations() -> None:
    timed = study(budget={"seconds": 5, "workers": 1})
    found = cases([timed], [0, 7], [1.0, 2.0], {"hysteresis": [0, 2], "growth": ["double", "one"]})
    assert [(c.study.budget.seed, c.study.budget.seconds) for c in found if c.study] == [(0, 1), (0, 2), (7, 1), (7, 2)]
    pairs = [(s.hysteresis, s.growth) for s in found[0].searches]
    assert pairs == [(0, "double"), (0, "one"), (2, "double"), (2, "one")]
    assert found[0].searches[0].top_k == timed.search.top_k


def test_one_study_is_one_case_of_its_own_values() -> None:
    own = study()
    assert cases([own]) == [Case(own.name, own, (own.search,))]


def test_time_limits_that_have_no_effect_are_refused() -> None:
    with pytest.raises(InputError, match="no effect"):
        cases([study()], seconds=[1.0])


@pytest.fixture(scope="module")
def swept() -> tuple[GapRow, ...]:
    """Two studies with two options each."""
    with no_prover():
        return tuple(sweep(_two()))


def _two() -> list[Case]:
    table = {"hysteresis": [0, 2]}
    return cases([study(name="a"), study(name="b", **KEYS["pipeline"])], options=table)


def test_every_combination_has_its_rows(swept: tuple[GapRow, ...]) -> None:
    assert [(r.study, r.part, r.options["hysteresis"]) for r in swept] == [
        ("a", WHOLE, 0),
        ("a", WHOLE, 2),
        *(("b", part, h) for h in (0, 2) for part in (WHOLE, "gpt/stage0", "gpt/stage1")),
    ]


def test_rows_do_not_depend_on_the_order(swept: tuple[GapRow, ...]) -> None:
    turned = [replace(case, searches=case.searches[::-1]) for case in _two()[::-1]]

    def key(row: GapRow) -> tuple[str, str, Any]:
        return row.study, row.part, row.options["hysteresis"]

    again = sorted(sweep(turned), key=key)
    assert list(map(value_of, again)) == sorted(map(value_of, swept), key=key)


def test_rows_do_not_depend_on_names(swept: tuple[GapRow, ...]) -> None:
    (case,) = cases([study(name="another")], options={"hysteresis": [0]})
    (row,) = sweep([case])
    assert value_of(replace(row, study="a")) == value_of(swept[0])


def test_rows_are_kept_in_run_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = cases([study()], options={"hysteresis": [0, 2]})
    first = list(sweep([case], runs=tmp_path))
    assert not any(row.reused for row in first)
    assert not list_runs(tmp_path)  # no run, and nothing that looks like one
    with monkeypatch.context() as nothing_to_do:
        nothing_to_do.setattr(gap, "Ground", None)
        again = list(sweep([case], runs=tmp_path))
    assert again == [replace(row, reused=True) for row in first]
    (more,) = cases([study()], options={"hysteresis": [2, 4]})
    assert [row.reused for row in sweep([more], runs=tmp_path)] == [True, False]
    assert not any(row.reused for row in sweep([case], runs=tmp_path, again=True))


def test_another_solver_in_the_place_of_the_heuristic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own,) = sweep(cases([study()]), runs=tmp_path)
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "mine"), registry.SOLVERS["design-search", "wham-like"])
    (other,) = sweep(cases([study()]), method="mine", runs=tmp_path)
    assert not other.reused
    assert (other.method, other.options) == ("mine", {})
    assert (other.bound, other.best) == (own.bound, own.best)
    assert other.gap_before == own.gap_before
    with pytest.raises(InputError, match="unknown heuristic 'wham'; did you mean 'wham-like'"):
        next(sweep(cases([study()]), method="wham"))


def test_nothing_is_kept_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    list(sweep(cases([study()])))
    assert list(tmp_path.iterdir()) == []


def test_an_infeasible_study_is_a_row_and_the_others_go_on() -> None:
    found = list(sweep(cases([study(name="none", limits={"area": "1 mm^2"}), study(name="some")])))
    assert [row.study for row in found] == ["none", "some"]
    assert found[0].note.startswith("infeasible: ")
    assert found[0].bound is None
    assert found[1].gap_after is not None


def test_an_interrupt_leaves_the_rows_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = cases([study()], options={"hysteresis": [0, 2, 4]})
    measure = Ground.measure

    def interrupted(self: Ground, search: Search, method: str = "") -> Any:
        if search.hysteresis == 2:
            raise KeyboardInterrupt
        return measure(self, search, method)

    monkeypatch.setattr(Ground, "measure", interrupted)
    rows: list[GapRow] = []
    with pytest.raises(KeyboardInterrupt):
        rows.extend(row for row in _each(sweep([case]), rows))
    assert [row.options["hysteresis"] for row in rows] == [0]


def _each(found: Iterator[GapRow], rows: list[GapRow]) -> Iterator[GapRow]:
    for row in found:
        rows.append(row)
        yield from ()


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite of two models in the place of the shipped ones."""
    entries = [
        Entry("mlp", "throughput", study(name="mlp-t")),
        Entry("mlp", "throughput-per-tdp", study(name="mlp-p", **KEYS["per TDP"])),
        Entry("large", "throughput", study(), needs="tensor parallel"),
    ]
    monkeypatch.setattr(gap, "load_suite", lambda name: entries)


def test_a_suite_is_its_studies(suite: None) -> None:
    found = suite_cases("wham", options={"hysteresis": [0, 2]}, overrides=["budget.workers=1"])
    assert [(case.name, len(case.searches), case.note) for case in found] == [
        ("mlp", 2, ""),
        ("mlp", 2, ""),
        ("large", 0, "needs tensor parallel"),
    ]
    rows = list(sweep(found))
    assert [(row.study, row.metric) for row in rows] == [
        *[("mlp", "throughput")] * 2,
        *[("mlp", "throughput per TDP")] * 2,
        ("large", "throughput"),
    ]
    assert rows[-1].note == "needs tensor parallel"


def test_keys_of_all_studies_of_a_suite(suite: None) -> None:
    found = suite_cases("wham", overrides=["operator_split=none", "budget.seed=4"])
    assert {(c.study.operator_split, c.study.budget.seed) for c in found if c.study} == {("none", 4)}
    with pytest.raises(InputError, match="--set operator_split=odd"):
        suite_cases("wham", overrides=["operator_split=odd"])


def test_parts_of_a_suite(suite: None) -> None:
    assert [case.name for case in suite_cases("wham", models=["large"])] == ["large"]
    assert len(suite_cases("wham", metrics=["throughput"])) == 2
    assert suite_cases("wham", models=["large"], metrics=["throughput-per-tdp"]) == []
    with pytest.raises(InputError, match=r"unknown model 'larg'; did you mean 'large'\? suite wham has: mlp, large"):
        suite_cases("wham", models=["larg"])
    with pytest.raises(InputError, match="unknown metric"):
        suite_cases("wham", metrics=["speed"])
