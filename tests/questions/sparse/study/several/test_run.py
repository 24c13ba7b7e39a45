"""A run over several devices: its answer, its folder, what an earlier try left, and what ends it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import NothingFoundError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import check, interval_of, problem_from_json, solution_from_json
from accmine.questions.run.folder import RunState, find_run
from accmine.questions.run.reading import answer_of
from accmine.questions.sparse.buys import asked as question
from accmine.questions.sparse.devices import Site, cuts, spread
from accmine.questions.sparse.study import measure
from accmine.questions.sparse.study.run import run_sparse
from accmine.questions.sparse.study.several import solved
from accmine.questions.sparse.study.several.record import SpreadOutcome
from accmine.solving import solve
from accmine.study.sparse import read_sparse
from tests.samples.sparse_study_sample import SEVERAL, loaded

ALL: dict[str, Any] = {**SEVERAL, "compare": {"dense": True, "tpe": 0, "alone": True}}


def run(folder: Path, changes: dict[str, Any] = SEVERAL, **how: Any) -> SpreadOutcome:
    found = run_sparse(loaded(folder, changes), runs_dir=folder / "runs", **how)
    assert isinstance(found, SpreadOutcome)
    return found


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> SpreadOutcome:
    """With everything that may stand beside an answer."""
    return run(tmp_path_factory.mktemp("run"), ALL)


def parts_of(outcome: SpreadOutcome) -> list[tuple[Any, Any]]:
    folder, found = Path(outcome.folder), []
    for i in range(1, 1 + len(outcome.devices)):
        problem = problem_from_json(json.loads((folder / f"problem-{i}.json").read_text()))
        found.append((problem, solution_from_json(problem, json.loads((folder / f"solution-{i}.json").read_text()))))
    return found


def test_the_answer_is_the_best_of_all_cuts_by_another_solver(tmp_path: Path) -> None:
    """Without a loss parts are apart: the slowest of the fastest parts, for each cut."""
    outcome = run(tmp_path, {**SEVERAL, "loss": 1000, "links": None})
    study = loaded(tmp_path, {**SEVERAL, "loss": 1000, "links": None})
    inputs = read_sparse(study)
    problem, found = measure.network_problem(study.study, inputs), []
    budgets = [measure.budget_of(study.study.shares(own), inputs.devices[0]) for own in study.study.sites]
    for cut in (1, 2):
        cycles = []
        for budget, (first, after) in zip(budgets, ((0, cut), (cut, 3)), strict=True):
            edges = tuple((a - first, b - first) for a, b in problem.edges if first <= a and b < after and b >= first)
            own = replace(problem, layers=problem.layers[first:after], edges=edges, budget=budget)
            cycles.append(solve(own, "cp-sat", stop=Stop(seconds=60)).objective or 0)
        found.append(max(cycles))
    assert outcome.status == "optimal"
    assert outcome.value == pytest.approx(min(found) / 100e6, rel=1e-12)


def test_the_record_is_that_of_its_designs(outcome: SpreadOutcome) -> None:
    parts = parts_of(outcome)
    for row, (problem, design) in zip(outcome.devices, parts, strict=True):
        assert check(problem, design) == ()
        assert row.cycles == interval_of(problem, design) == max(layer.cycles for layer in row.layers)
        assert row.images_per_s == pytest.approx(100e6 / row.cycles)
        assert (row.first, row.last) == (row.layers[0].name, row.layers[-1].name)
        assert row.loss == pytest.approx(sum(layer.loss for layer in row.layers))
        used = {own.name: own for own in row.resources}
        assert used["dsp"].used == sum(layer.dsp for layer in row.layers) <= used["dsp"].allowed
    assert [own.allowed for row in outcome.devices for own in row.resources if own.name == "dsp"] == [20, 10]
    assert outcome.loss == pytest.approx(sum(row.loss for row in outcome.devices))
    assert outcome.loss <= outcome.loss_limit
    (link,) = outcome.links
    assert (link.words, link.words_per_cycle) == (outcome.devices[0].words, 2)
    assert link.cycles == -(-link.words // 2)
    slowest = max(*(row.cycles for row in outcome.devices), link.cycles)
    assert outcome.value == pytest.approx(slowest / 100e6) == outcome.certificate.bound_s
    assert [row.binds for row in outcome.devices] == [row.cycles == slowest for row in outcome.devices]
    assert (outcome.status, outcome.stop, outcome.certificate.gap) == ("optimal", "proved", 0)


def test_a_slow_link_binds(tmp_path: Path) -> None:
    found = run(tmp_path, {**SEVERAL, "links": 0.01})
    (link,) = found.links
    assert link.binds
    assert not any(row.binds for row in found.devices)
    assert link.cycles == 100 * link.words
    assert found.images_per_s == pytest.approx(100e6 / link.cycles)


def test_a_link_by_the_clock_of_the_device_before_it(tmp_path: Path) -> None:
    changes = {**SEVERAL, "devices": ["small.yaml", "u250"], "links": 0.01}
    found = run(tmp_path, changes)
    assert [row.frequency_hz for row in found.devices] == [100e6, 250e6]
    assert found.links[0].images_per_s == pytest.approx(100e6 / (found.links[0].cycles or 1))


def test_what_stands_beside_it(outcome: SpreadOutcome) -> None:
    rows = {row.what: row for row in outcome.beside}
    assert list(rows) == [
        "device 1, small, alone",
        "device 2, small, alone",
        "dense engines, nothing pruned, on all devices",
    ]
    assert {row.status for row in rows.values()} == {"optimal"}
    for row in rows.values():
        assert row.images_per_s == row.bound
        assert row.ratio is not None
        assert row.ratio == pytest.approx(outcome.images_per_s / (row.images_per_s or 1))
        assert row.ratio >= 1
    assert rows["dense engines, nothing pruned, on all devices"].loss == 0


def test_alone_is_a_study_of_that_device(outcome: SpreadOutcome, tmp_path: Path) -> None:
    fast = {"network": {"use": "three.yaml"}, "buys": [], "prefer": "none", "compare": {"dense": False, "tpe": 0}}
    alone = run_sparse(loaded(tmp_path, fast), runs_dir=tmp_path / "runs")
    assert outcome.beside[0].images_per_s == alone.images_per_s


def test_equal_devices_are_asked_once(tmp_path: Path) -> None:
    compare = {"dense": False, "tpe": 0, "alone": True}
    found = run(tmp_path, {**SEVERAL, "devices": ["small.yaml", "small.yaml"], "compare": compare})
    assert [row.what for row in found.beside] == ["small alone"]


def test_the_folder(outcome: SpreadOutcome) -> None:
    folder = Path(outcome.folder)
    names = {"study.yaml", "result.json", "report.html", "state.json", "trace.jsonl", "problem-1.json"}
    assert names <= {path.name for path in folder.iterdir()}
    found = find_run(folder.parent, "two")
    assert found.state is RunState.FINISHED
    assert answer_of(found.read_json("result.json")) == outcome


def test_levels_that_are_made_up_are_said_to_be(outcome: SpreadOutcome, tmp_path: Path) -> None:
    assert outcome.loss_is.startswith("made up")
    assert any("synthetic" in line for line in outcome.warnings)
    for name in ("result.json", "report.html"):
        assert "made up" in (Path(outcome.folder) / name).read_text(), name
    table = "layer,level,density,loss\n" + "".join(f"conv{i}.conv0,none,1,0\n" for i in range(3))
    (tmp_path / "own.csv").write_text(table)
    other = run(tmp_path, {**SEVERAL, "levels": {"table": "own.csv"}})
    assert ([own.word for own in other.sources], other.warnings) == (["table"], ())


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def own(*given: Any, **how: Any) -> Any:
        asked.append(how["hint"])
        return spread(*given, **how)

    monkeypatch.setattr(solved, "spread", own)
    return asked


def test_a_finished_run_is_read_and_again_computes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    first, second = run(tmp_path), run(tmp_path)
    assert second.earlier_run
    assert replace(second, earlier_run="") == first
    assert len(asked) == 1
    assert not run(tmp_path, again=True).earlier_run
    assert len(asked) == 2


def test_what_is_decided_is_not_decided_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(tmp_path)
    (Path(first.folder) / "result.json").unlink()
    monkeypatch.setattr(solved, "spread", lambda *_, **__: pytest.fail("solved again"))
    second = run(tmp_path)
    assert (second.devices, second.certificate, second.trace) == (first.devices, first.certificate, first.trace)


def interrupted(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Ctrl-C comes with the question to the solver of this number."""
    asked: list[Any] = []

    def some(*given: Any, **how: Any) -> Any:
        asked.append(given)
        if len(asked) == at:
            raise KeyboardInterrupt
        return question(*given, **how)

    monkeypatch.setattr(cuts, "asked", some)


def test_an_interrupt_keeps_the_best_and_the_next_try_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = {**ALL, "loss": 1.5}  # the fastest parts lose more
    with monkeypatch.context() as patched:
        interrupted(patched, 8)
        found = run(tmp_path, torn)
    assert (found.stop, found.status, found.beside) == ("interrupted", "feasible", ())
    assert find_run(tmp_path / "runs", "two").state is RunState.INTERRUPTED
    asked = counted(monkeypatch)
    after = run(tmp_path, torn)
    assert [len(hint) for hint in asked] == [2, 0], "from the best answer, and then dense"
    assert (after.stop, len(after.beside)) == ("proved", 3)
    assert after.images_per_s >= found.images_per_s
    assert found.certificate.gap > after.certificate.gap == 0


def test_an_interrupt_before_any_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert find_run(tmp_path / "runs", "two").state is RunState.INTERRUPTED


def test_an_interrupt_beside_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("accmine.questions.sparse.study.parts.solve", ended)
    found = run(tmp_path, ALL)
    assert (found.stop, found.status, found.beside) == ("interrupted", "optimal", ())


def test_nothing_in_no_time(tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match="two: no layout over 2 devices was found in"):
        run(tmp_path, {**SEVERAL, "budget": {"seconds": 0}})
    assert find_run(tmp_path / "runs", "two").state is RunState.FAILED


def test_more_time_goes_on_from_an_unproven_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier try left open is begun with; its bound is not lost."""
    left = run(tmp_path, {**SEVERAL, "budget": {"seconds": 60, "workers": 1}})
    kept = Path(left.folder) / "tasks" / "answer.json"
    assert json.loads(kept.read_text())["value"]["exact_s"] == str(Fraction(round(left.value * 100e6), 100_000_000))
    open_study = replace(spread_of(tmp_path), exact_bound_s=Fraction(1, 100_000_000))
    monkeypatch.setattr(solved, "spread", lambda *_, **__: open_study)
    first = run(tmp_path, {**SEVERAL, "budget": {"seconds": 61}}, again=True)
    assert (first.status, first.stop) == ("feasible", "time")
    monkeypatch.undo()
    asked = counted(monkeypatch)
    second = run(tmp_path, {**SEVERAL, "budget": {"seconds": 62}})
    assert asked == [open_study.placed]
    assert (second.status, second.value, second.folder) == ("optimal", first.value, first.folder)


def spread_of(folder: Path) -> Any:
    study = loaded(folder, SEVERAL)
    inputs = read_sparse(study)
    budgets = [measure.budget_of(study.study.shares(own), inputs.devices[0]) for own in study.study.sites]
    sites = [Site("small", budget, 100e6) for budget in budgets]
    return spread(measure.network_problem(study.study, inputs), sites, [Fraction(2)])
