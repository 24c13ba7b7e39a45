"""Measuring: equal terms, common values, traces that end at the answer, chips."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any, ClassVar

import pytest

from accmine import registry
from accmine.errors import InfeasibleError, InputError
from accmine.hardware import Design
from accmine.problems.design_search import Solution
from accmine.questions.compare.measure import Terms, measure, measure_chip, single_search, terms_of
from accmine.questions.compare.record import CHIP
from accmine.result import StopReason
from accmine.search import excess
from tests.samples.gap_sample import KEYS, study
from tests.samples.search_sample import designs, everything, folder


def terms(**keys: Any) -> Terms:
    return terms_of("tiny", study(**keys), [str(folder() / "base.yaml")])


@pytest.mark.parametrize("name", ["one device", "per TDP", "pipeline per TDP", "common"])
def test_every_method_is_valued_alike_and_none_is_below_the_bound(name: str) -> None:
    own = terms(**KEYS[name], mode="common")
    best = min(e.value for e in everything(own.problem))
    for method in ("wham-like", "best-first", "random", "ga", "largest"):
        row = measure(own, method, 0, 60.0, 30)
        if row.value is None:
            assert method == "largest"
            assert row.note.startswith("nothing found: none of 1 designs reaches the floor")
            continue
        assert row.value >= best * (1 - 1e-12)
        assert row.bound is not None
        assert row.bound <= best * (1 + 1e-12)
        assert row.trace[-1][2] == row.value
        assert [m[2] for m in row.trace] == sorted({m[2] for m in row.trace}, reverse=True)
        assert own.value(Design.from_table(dict(row.tunables))).value == row.value
        assert 1 <= row.trace[-1][0] <= row.evaluations
        assert row.trace[-1][1] <= row.seconds
        assert (row.finished, row.limit_s, row.limit_evaluations) == (method != "best-first" or row.finished, 60.0, 30)
    assert excess(measure(own, "random", 0, 60.0, 100).value, best) == 0.0, "100 evaluations are the whole space"


def test_the_floor_of_a_pipeline_is_that_of_its_slowest_stage() -> None:
    plan, problem = single_search(study(**KEYS["pipeline per TDP"], mode="common"))
    assert problem.floor == plan.floor == 0.5
    assert single_search(study(**KEYS["pipeline"], mode="common"))[1].floor == 0.0


def test_a_limit_in_evaluations_counts_those() -> None:
    own = terms()
    row = measure(own, "random", 1, None, 2)
    assert (row.evaluations, row.designs, row.finished, row.seed) == (2.0, 2, False, 1)
    assert row.baseline == 1.0


def test_a_study_of_several_designs_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"gives 2 groups of devices a design each; one is compared: --set mode=common"
    ):
        single_search(study(**KEYS["pipeline"]))


def test_a_study_that_nothing_fits_is_infeasible() -> None:
    with pytest.raises(InfeasibleError):
        single_search(study(limits={"area": "1 mm^2"}))


def test_a_solver_without_a_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "old"), f"{__name__}:Old")
    with pytest.raises(InputError, match="has no search"):
        measure(terms(), "old", 0, 1.0, None)


class Old:
    """From before there were records."""

    name = "old"

    def solve(self, problem: Any, **_: Any) -> None:
        """Is never called."""


def test_an_interrupted_run_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "stops"), f"{__name__}:Stops")
    with pytest.raises(KeyboardInterrupt):
        measure(terms(), "stops", 0, 1.0, None)


class Stops:
    """Hears Ctrl-C."""

    name = "stops"

    def search(self, record: Any) -> StopReason:
        """As if somebody had pressed it."""
        raise KeyboardInterrupt


def test_better_schedules_of_a_method_do_not_make_its_designs_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that schedules longer is valued by the schedules that all have; what it had itself stands beside."""
    own = terms()
    design = designs(own.problem.template)[0]
    listed = own.value(design)
    better = replace(listed, value=listed.value * 0.9)
    monkeypatch.setitem(own.valued, design, replace(listed, value=listed.value * 1.1))
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "one"), f"{__name__}:One")
    monkeypatch.setattr(One, "design", design)
    row = measure(own, "one", 0, None, None)
    assert row.own == pytest.approx(listed.value)
    assert row.value == pytest.approx(listed.value * 1.1)
    assert row.trace[-1][2] == row.value
    assert better.value < listed.value


class One:
    """Offers one design."""

    name = "one"
    design: Any = None

    def search(self, record: Any) -> StopReason:
        """With list schedules."""
        from accmine.solvers.design_search.evaluator import Evaluator

        Evaluator(record)(self.design)
        assert isinstance(record.best, Solution)
        return StopReason.FINISHED


@pytest.mark.parametrize("most", [1, 2, 3])
def test_what_is_found_beyond_the_evaluations_is_too_late(most: int) -> None:
    """``best-first`` looks at a design in one piece, which may be more schedules than are left."""
    own = terms(models=("mlp", "gpt"), space={"tensor_cores": [1, 2, 3], "vector_cores": [1, 2]})
    row = measure(own, "best-first", 0, None, most)
    assert row.evaluations <= most
    assert all(count <= most for count, *_ in row.trace)


def test_a_design_that_came_too_late_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "several"), f"{__name__}:Several")
    own = terms()
    monkeypatch.setattr(Several, "designs", slow_to_fast(own))
    whole = measure(own, "several", 0, None, None)
    assert [value for *_, value in whole.trace] == [own.value(design).value for design in Several.designs]
    row = measure(own, "several", 0, None, 2)
    assert (row.evaluations, row.finished, row.design) == (2.0, False, Several.designs[1].name)
    assert row.own == row.value == own.value(Several.designs[1]).value


def test_every_moment_is_valued_by_the_common_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "several"), f"{__name__}:Several")
    own = terms()
    first, *_, last = slow_to_fast(own)
    monkeypatch.setattr(Several, "designs", [first, last])
    listed = own.value(first)
    monkeypatch.setitem(own.valued, first, replace(listed, value=2 * listed.value))
    row = measure(own, "several", 0, None, None)
    assert [value for *_, value in row.trace] == [2 * listed.value, own.value(last).value]


def test_what_another_package_says_it_has_proven_is_no_bound_of_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "several"), f"{__name__}:Several")
    own = terms()
    slow, *_, fast = slow_to_fast(own)
    monkeypatch.setattr(Several, "designs", [slow])
    monkeypatch.setattr(Several, "claim", own.value(slow).value)
    row = measure(own, "several", 0, None, None)
    assert row.bound == own.bound <= own.value(fast).value < own.value(slow).value


def slow_to_fast(own: Terms) -> list[Design]:
    """Feasible designs, each of less value than the one before."""
    rows = sorted(everything(own.problem), key=lambda e: -e.value)
    return list({e.value: e.design for e in rows}.values())


class Several:
    """Evaluates designs, all of them whatever the limits, and claims a bound."""

    name = "several"
    designs: ClassVar[list[Design]] = []
    claim: float | None = None

    def search(self, record: Any) -> StopReason:
        """With list schedules."""
        from accmine.solvers.design_search.evaluator import Evaluator

        evaluate = Evaluator(record)
        for design in self.designs:
            evaluate(design)
        record.raise_bound(self.claim, "says so")
        return StopReason.FINISHED


def test_a_chip_is_a_row_whatever_it_violates() -> None:
    base = str(folder() / "base.yaml")
    own = terms()
    row = measure_chip(own, base)
    assert (row.kind, row.note) == (CHIP, "")
    assert row.value == pytest.approx(1.0)
    assert measure_chip(terms(limits={"area": "413.1 mm^2"}), base).note == "outside the limits"
    below = measure_chip(terms(objective="throughput-per-tdp", floor=1.2), base)
    assert below.note == "below the floor"
    assert below.value is not None
    assert below.value < inf
    assert measure_chip(own, "tpuv4").note.startswith("not covered by technology")
