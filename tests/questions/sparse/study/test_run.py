"""A run of a sparse dataflow accelerator: its answer, its folder, what an earlier try left, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InfeasibleError, InputError, NothingFoundError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Least, check, interval_of, loss_of, problem_from_json, solution_from_json
from accmine.questions.run.folder import RunState, find_run
from accmine.questions.sparse.study import beside, measure, parts
from accmine.questions.sparse.study.record import SparseOutcome
from accmine.report import from_json
from accmine.result import Status, StopReason
from accmine.solving import solve
from accmine.sparse.layer import POINT
from accmine.study.sparse import read_sparse
from tests.samples.sparse_study_sample import loaded, run_one

FAST: dict[str, Any] = {"compare": {"dense": False, "tpe": 0}, "buys": [], "prefer": "none"}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> SparseOutcome:
    """With everything that may stand beside an answer."""
    folder = tmp_path_factory.mktemp("run")
    return run_one(loaded(folder), runs_dir=folder / "runs")


def test_the_answer_is_what_a_solver_of_another_kind_proves(outcome: SparseOutcome) -> None:
    problem = problem_from_json(json.loads((Path(outcome.folder) / "problem.json").read_text()))
    found = solution_from_json(problem, json.loads((Path(outcome.folder) / "solution.json").read_text()))
    assert check(problem, found) == ()
    other = solve(problem, "cp-sat", stop=Stop(seconds=60))
    assert (outcome.status, outcome.value) == ("optimal", other.objective)
    assert interval_of(problem, found) == outcome.value == outcome.certificate.bound_cycles
    assert outcome.images_per_s == pytest.approx(100e6 / outcome.value)
    assert outcome.loss == outcome.proxy_loss == loss_of(problem, found) / POINT <= 5


def test_of_the_fastest_designs_it_takes_least_dsps(outcome: SparseOutcome) -> None:
    problem = problem_from_json(json.loads((Path(outcome.folder) / "problem.json").read_text()))
    least = solve(replace(problem, least=Least("dsp", outcome.value)), "cp-sat", stop=Stop(seconds=60))
    used = {row.name: row.used for row in outcome.resources}
    assert used["dsp"] == least.objective == outcome.prefer_bound
    assert outcome.images_per_s_per_dsp == pytest.approx(outcome.images_per_s / used["dsp"])


def test_resources_have_a_band_where_they_are_estimated(outcome: SparseOutcome) -> None:
    rows = {row.name: row for row in outcome.resources}
    assert {name for name, row in rows.items() if row.least != row.most} == {"lut", "ff"}
    assert all(row.used <= row.allowed <= row.device for row in rows.values())
    assert rows["dsp"].used == sum(layer.dsp for layer in outcome.layers)
    bits = sum(layer.bits for layer in outcome.layers)
    assert rows["bandwidth"].used == pytest.approx(bits * outcome.images_per_s)


def test_what_binds_takes_as_long_as_the_interval(outcome: SparseOutcome) -> None:
    assert outcome.binding == tuple(row.name for row in outcome.layers if row.cycles == outcome.value)
    assert len(outcome.binds) >= 1


def test_the_next_of_a_limit_is_what_it_is_said_to_be(outcome: SparseOutcome) -> None:
    problem = problem_from_json(json.loads((Path(outcome.folder) / "problem.json").read_text()))
    row = next(own for own in outcome.buys if own.name == "dsp")
    (step,) = row.steps
    assert row.binds
    for dsp, interval in ((step.amount, 100e6 / step.images_per_s), (step.least - 1, outcome.value)):
        own = replace(problem, budget=replace(problem.budget, dsp=int(dsp)))
        assert solve(own, stop=Stop(seconds=60)).objective == pytest.approx(interval)


def test_the_dense_design_loses_nothing_and_is_slower(outcome: SparseOutcome) -> None:
    assert outcome.dense is not None
    assert (outcome.dense.status, outcome.dense.loss) == ("optimal", 0)
    assert outcome.dense.ratio is not None
    assert outcome.dense.ratio == pytest.approx(outcome.images_per_s / (outcome.dense.images_per_s or 1))
    assert outcome.dense.ratio > 1


def test_tpe_is_counted_in_trials_and_seconds(outcome: SparseOutcome) -> None:
    pytest.importorskip("optuna")
    assert outcome.tpe is not None
    assert outcome.tpe.trials == 4
    shares = [moment.share for moment in outcome.tpe.trace]
    assert shares == sorted(shares)
    assert max(shares) <= 1
    assert all(moment.evaluations is not None and moment.evaluations <= 4 for moment in outcome.tpe.trace)


def test_tpe_is_left_out_where_its_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = solve

    def without(problem: Any, solver: str, **how: Any) -> Any:
        if solver == "tpe":
            raise InputError("tpe needs optuna")
        return own(problem, solver, **how)

    monkeypatch.setattr(beside, "solve", without)
    study = loaded(tmp_path, {**FAST, "compare": {"dense": False, "tpe": 5}})
    found = run_one(study, runs_dir=tmp_path / "runs").tpe
    assert found is not None
    assert (found.trials, found.found.images_per_s, found.found.note) == (0, None, "tpe needs optuna")


def test_a_source_that_is_made_up_is_said_everywhere(outcome: SparseOutcome) -> None:
    assert [own.word for own in outcome.sources] == ["synthetic"]
    assert outcome.sources[0].made_up
    assert outcome.loss_is.startswith("made up")
    assert any("synthetic" in line for line in outcome.warnings)
    for name in ("result.json", "report.html"):
        assert "made up" in (Path(outcome.folder) / name).read_text(), name


def test_a_table_is_not_made_up(tmp_path: Path) -> None:
    own = run_one(loaded(tmp_path, {**FAST, "levels": {"table": "table.csv"}}), runs_dir=tmp_path / "runs")
    assert [source.word for source in own.sources] == ["table"]
    assert (own.warnings, own.sources[0].made_up) == ((), False)


def test_the_folder(outcome: SparseOutcome) -> None:
    folder = Path(outcome.folder)
    names = {"study.yaml", "result.json", "report.html", "state.json", "trace.jsonl", "problem.json", "solution.json"}
    assert names <= {path.name for path in folder.iterdir()}
    found = find_run(folder.parent, "two")
    assert found.state is RunState.FINISHED
    assert from_json(SparseOutcome, found.read_json("result.json")) == outcome


def test_a_finished_run_is_read_and_again_computes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = loaded(tmp_path, FAST)
    asked: list[Any] = []
    first = run_one(study, runs_dir=tmp_path / "runs")

    def counted(*given: Any, **how: Any) -> Any:
        asked.append(given)
        return solve(*given, **how)

    monkeypatch.setattr(parts, "solve", counted)
    second = run_one(study, runs_dir=tmp_path / "runs")
    assert second.earlier_run
    assert (replace(second, earlier_run=""), asked) == (first, [])
    assert not run_one(study, runs_dir=tmp_path / "runs", again=True).earlier_run
    assert len(asked) == 1


def test_what_is_decided_is_not_decided_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is lost, its parts are not."""
    study = loaded(tmp_path, {**FAST, "prefer": "dsp", "compare": {"dense": True, "tpe": 0}})
    first = run_one(study, runs_dir=tmp_path / "runs")
    (Path(first.folder) / "result.json").unlink()
    monkeypatch.setattr(parts, "solve", lambda *_, **__: pytest.fail("solved again"))
    second = run_one(study, runs_dir=tmp_path / "runs")
    assert (second.value, second.layers, second.dense) == (first.value, first.layers, first.dense)
    assert second.certificate == first.certificate


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    study = loaded(tmp_path, FAST)
    first = run_one(study, runs_dir=tmp_path / "runs")
    (Path(first.folder) / "result.json").unlink()
    kept = Path(first.folder) / "tasks" / "answer.json"
    kept.write_text(kept.read_text().replace('"objective": ', '"objective": 1'))
    assert run_one(study, runs_dir=tmp_path / "runs").value == first.value


def test_another_content_is_another_run_and_more_seconds_are_not(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = run_one(loaded(tmp_path, FAST), runs_dir=runs).folder
    assert run_one(loaded(tmp_path, {**FAST, "budget": {"seconds": 61}}), runs_dir=runs).folder == first
    study = loaded(tmp_path, FAST)
    (tmp_path / "small.yaml").write_text((tmp_path / "small.yaml").read_text().replace("dsp: 20", "dsp: 30"))
    assert run_one(study, runs_dir=runs).folder != first


def interrupted(monkeypatch: pytest.MonkeyPatch, module: Any, times: int) -> None:
    """The solver is interrupted at its call of this number, with what it has."""
    own, calls = module.solve, []

    def solved(*given: Any, **how: Any) -> Any:
        calls.append(given)
        result = own(*given, **how)
        return replace(result, stop=StopReason.INTERRUPTED) if len(calls) == times else result

    monkeypatch.setattr(module, "solve", solved)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_interrupt_keeps_the_best_verified_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    study = loaded(tmp_path)
    interrupted(monkeypatch, parts, times)
    found = run_one(study, runs_dir=tmp_path / "runs")
    assert (found.stop, found.dense is None, found.tpe is None) == ("interrupted", True, True)
    assert find_run(tmp_path / "runs", "two").state is RunState.INTERRUPTED
    monkeypatch.undo()
    after = run_one(study, runs_dir=tmp_path / "runs")
    assert (after.stop, after.value, after.dense is None) == ("proved", found.value, False)


def test_nothing_in_no_time(tmp_path: Path) -> None:
    study = loaded(tmp_path, {**FAST, "budget": {"seconds": 0}})
    with pytest.raises(NothingFoundError, match="two: no design was found"):
        run_one(study, runs_dir=tmp_path / "runs")
    folder = find_run(tmp_path / "runs", "two")
    assert (folder.state, folder.read_json("result.json")["status"]) == (RunState.FAILED, "unknown")


@pytest.mark.parametrize(
    ("limits", "key", "said"), [({"dsp": "5 %"}, "limits.dsp", "1 of 20"), ({"lut": 0}, "limits.lut", "0 of 20000")]
)
def test_a_network_that_does_not_fit_names_the_limit(
    tmp_path: Path, limits: dict[str, Any], key: str, said: str
) -> None:
    study = loaded(tmp_path, {**FAST, "limits": limits})
    with pytest.raises(InfeasibleError) as caught:
        run_one(study, runs_dir=tmp_path / "runs")
    error = caught.value
    assert error.conflict == (f"{key}: {said}",)
    assert f"{study.path}:" in error.where[0]
    least = int(error.remedy[0].partition("at least ")[2].partition(";")[0])
    problem = measure.problem_of(study.study, read_sparse(study))
    less: dict[str, Any] = {key.partition(".")[2]: least - 1}
    with_less = replace(problem, budget=replace(problem.budget, **less))
    assert solve(with_less, stop=Stop(seconds=60)).status is Status.INFEASIBLE
    with pytest.raises(InfeasibleError, match=key.replace(".", r"\.")):
        run_one(study, runs_dir=tmp_path / "runs")  # as it was found
    assert find_run(tmp_path / "runs", "two").state is RunState.FINISHED


def test_a_loss_that_nobody_meets(tmp_path: Path) -> None:
    study = loaded(tmp_path, {**FAST, "levels": {"table": "table.csv"}, "loss": 0})
    (tmp_path / "table.csv").write_text("layer,level,density,loss\nconv0.conv0,a,1,2.5\nconv1.conv0,a,1,0\n")
    with pytest.raises(InfeasibleError) as caught:
        run_one(study, runs_dir=tmp_path / "runs")
    assert caught.value.conflict == ("loss: 0 points",)
    assert caught.value.remedy == ("loss: at least 2.5",)


@pytest.mark.parametrize("loss", [1e13, 1e308])
def test_any_number_of_points_may_be_lost(tmp_path: Path, loss: float) -> None:
    found = run_one(
        loaded(tmp_path, {**FAST, "loss": loss, "compare": {"dense": False, "tpe": 0}}), runs_dir=tmp_path / "runs"
    )
    assert (found.status, found.loss_limit) == ("optimal", loss)


def test_every_conflict_is_named_in_the_words_of_the_study(tmp_path: Path) -> None:
    study = loaded(tmp_path, {**FAST, "limits": {"dsp": "0.01 %", "lut": "0.01 %"}})
    with pytest.raises(InfeasibleError) as caught:
        run_one(study, runs_dir=tmp_path / "runs")
    assert [own.partition(":")[0] for own in caught.value.conflict] == ["limits.dsp", "limits.lut"]
    assert "and limits.lut must change as well" in caught.value.remedy[0]
    assert "and limits.dsp must change as well" in caught.value.remedy[1]


def test_shares_are_floors_of_the_device(tmp_path: Path) -> None:
    study = loaded(tmp_path, {"limits": {"dsp": "99 %", "bandwidth": "50 %"}})
    budget = measure.problem_of(study.study, read_sparse(study)).budget
    assert (budget.dsp, budget.lut, budget.bits_per_cycle, budget.loss) == (19, 20000, Fraction(40), 5 * POINT)
