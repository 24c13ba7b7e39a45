"""Exports: which operators of a run are the longest, and how a run is read back."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.cost import array_cycles, gemm
from accmine.errors import InputError
from accmine.hardware import FLEXIBLE
from accmine.questions.export.operators import longest, read_run
from accmine.questions.run.folder import RunFolder, RunState
from accmine.workload.work import Work
from tests.samples.export_sample import answer, baseline, make_run
from tests.samples.run_sample import known
from tests.samples.search_sample import pipeline, planned, study


def by_hand(**keys: Any) -> tuple[dict[Work, int], dict[Work, int]]:
    """Runs per step of every work, and cycles of its fastest mode, operator by operator."""
    plan, library = planned(**keys)
    design = plan.baseline
    runs: dict[Work, int] = defaultdict(int)
    for task in plan.tasks:
        for phase in task.phases:
            for operator in phase.graph.operators:
                runs[operator.work] += phase.repeats
    cycles = {}
    for work, table in zip(library.works, library.modes(design), strict=True):
        if work in runs:
            cycles[work] = int(table.duration.min())
    return runs, cycles


@pytest.mark.parametrize("keys", [{}, {"models": ("gpt",)}, {"models": ("gpt",), **pipeline(2)}])
def test_the_longest_operators_are_those_of_a_count_by_hand(tmp_path: Path, keys: dict[str, Any]) -> None:
    runs, cycles = by_hand(**keys)
    (winner,) = answer(tmp_path, **keys).winners
    products = sorted((runs[w] * cycles[w] for w in runs if w.gemm is not None), reverse=True)
    assert [operator.step_cycles for operator in winner.operators] == products[:10]
    assert winner.step_cycles == sum(runs[w] * cycles[w] for w in runs)
    for operator in (*winner.operators, *winner.left_out):
        assert (operator.runs, operator.duration_cycles) == (runs[operator.work], cycles[operator.work])
    assert len({operator.work for operator in winner.operators}) == len(winner.operators)
    assert 0 < winner.share <= 1
    assert winner.share == pytest.approx(sum(products[:10]) / winner.step_cycles)


def test_what_has_no_product_is_named_when_it_is_longer(tmp_path: Path) -> None:
    runs, cycles = by_hand(models=("gpt",))
    (winner,) = answer(tmp_path, models=("gpt",)).winners
    last = winner.operators[-1].step_cycles
    without = sorted(
        (runs[w] * cycles[w] for w in runs if w.gemm is None and runs[w] * cycles[w] >= last), reverse=True
    )
    assert without
    assert [operator.step_cycles for operator in winner.left_out] == without
    assert all(operator.work.gemm is None and operator.array_cycles == 0 for operator in winner.left_out)


def test_fewer_operators_can_be_asked_for() -> None:
    plan, library = planned(models=("gpt",))
    ten, three = (longest("design", plan.baseline, plan.tasks, library, count) for count in (10, 3))
    assert three.operators == ten.operators[:3]
    assert three.share < ten.share


def test_labels_are_safe_in_the_files_of_every_tool(tmp_path: Path) -> None:
    labels = [operator.label for operator in answer(tmp_path, models=("gpt",)).winners[0].operators]
    assert len(set(labels)) == len(labels) == 10
    for label in labels:
        assert re.fullmatch(r"[a-z0-9_]+", label), label


@pytest.mark.parametrize("timing", ["tpu-like", "scalesim3", "rtl-simple"])
def test_array_cycles_are_the_number_of_cycles_on_one_core(tmp_path: Path, timing: str) -> None:
    for operator in answer(tmp_path, timing=timing).winners[0].operators:
        g = operator.work.gemm
        assert g is not None
        own = gemm(g.m, g.k, g.n, (8, 8), "ws", timing, batch=g.batch).cycles
        assert operator.array_cycles == own + (timing == "scalesim3")
        assert operator.dataflow == "ws"


def test_a_flexible_array_runs_every_product_in_its_best_dataflow() -> None:
    plan, library = planned(models=("gpt",))
    design = replace(plan.baseline, tensor=replace(plan.baseline.tensor, dataflow=FLEXIBLE))
    winner = longest("design", design, plan.tasks, library)
    for operator in winner.operators:
        g = operator.work.gemm
        assert g is not None
        cycles = {
            flow: int(array_cycles(g.m, g.k, g.n, g.batch, 8, 8, flow, "tpu-like")) for flow in ("ws", "os", "is")
        }
        assert cycles[operator.dataflow] == operator.array_cycles == min(cycles.values())


def test_several_designs_share_the_operators_out(tmp_path: Path) -> None:
    wide = replace(baseline(), tensor_cores=4)
    keys = {"models": ("gpt",), **pipeline(2)}
    run = make_run(tmp_path, [baseline(), wide], **keys)
    both = read_run(run)
    assert [(w.name, w.design) for w in both.winners] == [("design-0", baseline()), ("design-1", wide)]
    assert [len(w.devices) for w in both.winners] == [1, 1]
    only = read_run(run, stage=1)
    assert only.winners == both.winners[1:]
    assert [p.name for p in only.pipelines(only.winners[0])] == ["gpt"]
    plan, library = planned(**keys)
    whole = longest("design", baseline(), plan.tasks, library)
    first = longest("design", baseline(), plan.tasks[:1], library)
    assert first.step_cycles == both.winners[0].step_cycles < whole.step_cycles


def test_one_stage_of_a_run_with_one_design(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert read_run(run, stage=0).winners == read_run(run).winners
    with pytest.raises(InputError, match="no design 1; there is only 0"):
        read_run(run, stage=1)


def test_a_stage_that_is_not_there_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, [baseline(), baseline()], models=("gpt",), **pipeline(2))
    with pytest.raises(InputError, match="no design 2; allowed: 0 to 1"):
        read_run(run, stage=2)


def test_a_run_without_a_result_or_a_design_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "begun")
    run.start(study())
    with pytest.raises(InputError, match="has no result; its state is: running"):
        read_run(run)
    run.write_json("result.json", {"status": "infeasible", "message": "too small"})
    run.end(RunState.FINISHED, 1)
    with pytest.raises(InputError, match="no design to export: it is infeasible"):
        read_run(run)


def test_a_folder_whose_result_is_of_another_study_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    table = known(run, "result.json")
    table["designs"][0]["devices"] = ["somebody else"]
    run.write_json("result.json", table)
    with pytest.raises(InputError, match="serves somebody else, which its study does not have"):
        read_run(run)
