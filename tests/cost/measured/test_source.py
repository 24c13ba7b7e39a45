"""Measured operators through a whole study: they replace the model's costs, and the certificate says how much."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine import cli
from accmine.cost import MeasuredTable, Stretched, ZigzagSource, too_many_runs
from accmine.cost.measured.source import MOST_RUNS
from accmine.cost.measured.works import MEASURED, MODELLED, core_name
from accmine.errors import InputError
from accmine.hardware import Calibration
from accmine.plan import plan_of
from accmine.ports import Stop
from accmine.questions.run.flow import solve_study
from accmine.questions.run.folder import RunFolder
from accmine.questions.sensitivity.changes import changes_of, left_out
from accmine.questions.stability.measure import stability
from accmine.questions.stability.timing import Moves, freeze
from accmine.search import assumptions_of, schedule_task
from accmine.search.bounds import measured_share
from accmine.study import study_hash
from accmine.study.inputs import referenced_files
from accmine.workload.graph import Gemm, Work
from tests.samples.search_sample import designs, planned, study, study_text

HEADER = "kind,m,k,n,batch,dtype,core,cycles,source\n"
REST = {"batch": 1, "dtype": "bf16", "core": "tc8x8ws-64Ki"}
ONE = {"tensor_cores": [1], "tensor_dim": [8]}


def table(path: Path, factor: float = 3.0) -> str:
    """Every plain product of the tiny study on one core of the baseline, ``factor`` times as slow as modelled."""
    plan, library = planned(space=ONE)
    (design,) = designs(plan.template)
    costs = library.costs(design)
    rows = []
    for work, cycles in zip(library.works, costs.tensor_cycles[:, 0].tolist(), strict=True):
        g = work.gemm
        if g is not None and not work.vector:
            core = core_name(design.tensor)
            slow = round(factor * max(cycles, work.bytes_in + work.bytes_out))
            rows.append(f"gemm,{g.m},{g.k},{g.n},{g.batch},{work.dtype},{core},{slow},test\n")
    assert rows
    path.write_text(HEADER + "".join(dict.fromkeys(rows)))
    return str(path)


def test_measured_operators_replace_modelled_ones(tmp_path: Path) -> None:
    cost = {"use": "table", "file": table(tmp_path / "t.csv")}
    modelled, measured = (plan_of(study(space=ONE, **more)) for more in ({}, {"cost": cost}))
    (design,) = designs(measured.template)
    before, after = (plan.library() for plan in (modelled, measured))
    costs, origin = after.costs(design), after.origin(design)
    assert set(origin[:, 0].tolist()) >= {MODELLED, MEASURED}
    here = origin[:, 0] == MEASURED
    assert (costs.cycles[here, 0] > before.costs(design).cycles[here, 0]).all()
    assert (costs.cycles[origin[:, 0] == MODELLED] == before.costs(design).cycles[origin[:, 0] == MODELLED]).all()
    assert (before.origin(design) == MODELLED).all()
    schedules = {
        (w, s): schedule_task(task, after, design, "list", Stop(), 0)
        for w, p in enumerate(measured.pipelines)
        for s, task in enumerate(p.tasks)
    }
    found = measured_share(schedules)
    assert 0 < found.measured < 1
    assert found.measured + found.interpolated + found.modelled == pytest.approx(1)
    assert any("is measured" in line for line in assumptions_of(measured, schedules))
    assert not any("is measured" in line for line in assumptions_of(modelled, schedules))
    slow = schedule_task(measured.tasks[0], after, design, "list", Stop(), 0).busy_s
    assert slow > schedule_task(modelled.tasks[0], before, design, "list", Stop(), 0).busy_s


def test_the_table_belongs_to_the_study(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    one = study(space=ONE, cost={"use": "table", "file": table(path)})
    assert path in referenced_files(one)
    before = study_hash(one)
    table(path, factor=4.0)
    assert study_hash(one) != before


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ({"use": "table"}, "cost.file: is required with use: table"),
        ({"use": "table", "file": "nowhere.csv"}, "no such file: nowhere.csv"),
        ({"use": "zigzag"}, "cost.cache: is required with use: zigzag"),
        ({"use": "model", "cache": "z.csv"}, "cost.cache: belongs to use: zigzag"),
        ({"use": "model", "reach": 2.0}, "cost.reach: belongs to use: table"),
        ({"use": "guess"}, "cost.use"),
    ],
)
def test_wrong_sources_are_refused(cost: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        study(space=ONE, cost=cost)


def test_a_wrong_table_is_refused_when_the_study_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(HEADER + "gemm,0,8,8,1,bf16,tc8x8ws-64Ki,10,test\n")
    with pytest.raises(InputError, match=r"bad\.csv:2"):
        plan_of(study(space=ONE, cost={"use": "table", "file": str(path)}))


def test_hours_of_zigzag_are_refused() -> None:
    works = [Work(Gemm(m, 8, 8, 1, 8 * m, 64, 8 * m), (), 1, 1, "bf16") for m in range(1, 101)]
    too_many_runs(works, MOST_RUNS // 100)
    with pytest.raises(InputError, match="ZigZag on 100 products"):
        too_many_runs(works, MOST_RUNS // 100 + 1)


def test_sources_travel_to_other_processes(tmp_path: Path) -> None:
    import pickle

    plan = plan_of(study(space=ONE, cost={"use": "table", "file": table(tmp_path / "t.csv")}))
    library = plan.library()
    (design,) = designs(plan.template)
    first = library.costs(design)
    again = pickle.loads(pickle.dumps(library)).costs(design)
    assert np.array_equal(first.cycles, again.cycles)


def test_what_a_table_cannot_follow_is_left_out_of_sensitivity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A core with 1 % more SRAM is of a type that no row was measured on."""
    keys: dict[str, Any] = {
        "space": ONE,
        "cost": {"use": "table", "file": table(tmp_path / "t.csv")},
        "limits": {"area": "baseline"},
        "budget": {"work": 0.5, "deterministic": True},
        "search": {"refine": "none", "top_k": 1, "shares": 1},
    }
    srams = ["accelerator.tensor_sram", "accelerator.vector_sram"]
    modelled = plan_of(study(space=ONE))
    plans = [plan_of(study(**keys)), plan_of(study(space=ONE, cost={"use": "zigzag", "cache": "z.csv"}))]
    assert left_out(modelled) == {}
    assert set(srams) <= {change.key for change in changes_of(modelled, 1.0)}
    for plan in plans:
        changed = {change.key for change in changes_of(plan, 1.0)}
        assert "accelerator.hbm_bandwidth" in changed
        assert not changed & set(srams)
        assert list(left_out(plan)) == srams
    path = tmp_path / "tiny.yaml"
    path.write_text(study_text(**keys))
    for option in ([], ["--json"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(["sensitivity", str(path), *option])
        assert not caught.value.code
        shown = capsys.readouterr().out
        if option:
            found = json.loads(shown)
            assert found["left_out"] == left_out(plans[0])
            assert not {row["key"] for row in found["rows"]} & set(srams)
        else:
            (line,) = [line for line in shown.splitlines() if "tensor_sram" in line]
            assert line.startswith(f"{', '.join(srams)}: left out with cost.use: table, because")


@pytest.mark.parametrize("own", [Calibration(), Calibration(launch_s=2e-8, array_efficiency=0.9)])
def test_measured_operators_keep_their_time_under_drawn_constants(tmp_path: Path, own: Calibration) -> None:
    plan = plan_of(study(space=ONE, cost={"use": "table", "file": table(tmp_path / "t.csv", factor=20.0)}))
    (design,) = designs(plan.template)
    design, library, task = replace(design, calibration=own), plan.library(), plan.tasks[0]
    draws = [own]
    draws += [replace(own, array_efficiency=own.array_efficiency / 2)]
    draws += [replace(own, launch_s=own.launch_s + 3e-8), replace(own, vector_efficiency=0.5)]
    schedule = schedule_task(task, library, design, "list", Stop(), 0)
    kept = moved = 0
    for run, phase in zip(task.phases, schedule.phases, strict=True):
        assert phase.result.solution is not None
        frozen = freeze(run.graph, library, design, phase.lowered, phase.result.solution)
        work = library.index(run.graph)[run.graph.work_index][frozen.sequence]
        measured = library.origin(design)[work, 0] != MODELLED
        alone = measured & ~library.costs(design).uses_vector[work]
        times = frozen.durations(Moves.of(design, draws))
        assert np.array_equal(times[alone], np.repeat(times[alone, :1], len(draws), axis=1))
        costs = library.costs(design).cycles[work, 0] + design.launch_cycles
        assert np.array_equal(times[alone, 0], costs[alone])
        assert np.array_equal(times[measured, 1], times[measured, 0])
        kept += int(alone.sum())
        moved += int((times[~measured, 2] > times[~measured, 0]).sum())
    assert kept
    assert moved


def test_a_table_for_other_cores_is_refused(tmp_path: Path) -> None:
    def cost(name: str, text: str) -> dict[str, str]:
        (tmp_path / name).write_text(text)
        return {"use": "table", "file": str(tmp_path / name)}

    line = "gemm,64,64,64,1,bf16,{},99999,test\n"
    other = cost("a.csv", HEADER + line.format("tc8x8ws-128Ki") + line.format("tc16x8ws-64Ki"))
    with pytest.raises(InputError, match="no row is of a core type") as caught:
        plan_of(study(space=ONE, cost=other))
    (complaint,) = caught.value.complaints
    assert complaint.field == "cost.file"
    assert all(text in complaint.message for text in (other["file"], "tc8x8ws-128Ki", "tc8x8ws-64Ki", "vc8x2-32Ki"))
    space = {"tensor_cores": [1], "tensor_rows": [4, 16], "tensor_cols": [8]}
    plan_of(study(space=space, cost=other))  # the second row is of the template
    plan_of(study(space=space, cost=cost("b.csv", HEADER + line.format("tc8x8ws-64Ki"))))  # of the baseline
    vector = "kind,elements,dtype,core,cycles,source\nrelu,64,bf16,vc8x2-32Ki,99,test\n"
    plan_of(study(space=ONE, cost=cost("c.csv", vector)))


def test_a_drawn_launch_longer_than_a_row_stretches_it(tmp_path: Path) -> None:
    plan = plan_of(study(space=ONE, cost={"use": "table", "file": table(tmp_path / "t.csv")}))
    (design,) = designs(plan.template)
    assert isinstance(plan.source, MeasuredTable)
    rows = plan.source.measurements.rows
    slow = replace(
        design, calibration=Calibration(launch_s=(min(row.cycles for row in rows) + 1) / design.frequency_hz)
    )
    with pytest.raises(InputError, match="less than the launch"):
        plan.library().costs(slow)
    stretched = replace(plan, source=Stretched(plan.source))
    assert set(stretched.library().costs(slow).corrections.launch_cycles.tolist()) == {slow.launch_cycles}
    assert np.array_equal(stretched.library().costs(design).cycles, plan.library().costs(design).cycles)


def test_stability_draws_launches_longer_than_a_row(tmp_path: Path) -> None:
    """Up to 2 us without a calibration, which is more than a tiny product takes."""
    plan = plan_of(
        study(
            space=ONE,
            cost={"use": "table", "file": table(tmp_path / "t.csv", factor=1.0)},
            budget={"work": 0.5, "deterministic": True, "workers": 1},
            search={"refine": "none", "top_k": 1, "shares": 1},
        )
    )
    assert isinstance(plan.source, MeasuredTable)
    assert min(row.cycles for row in plan.source.measurements.rows) < 2e-6 * plan.baseline.frequency_hz
    folder = RunFolder(tmp_path)
    outcome, _ = solve_study(plan, folder, lambda *_: None, compare=False)
    assert stability(plan, outcome, folder, draws=4).draws == 4


def test_the_launch_is_added_to_what_zigzag_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "z.csv"
    cache.write_text(HEADER + "gemm,64,64,64,1,bf16,tc8x8ws-64Ki,5000,test\n")
    monkeypatch.setattr(
        "accmine.cost.measured.zigzag.zigzag_rows", lambda *_, **__: [type("R", (), dict.fromkeys("mkn", 64) | REST)()]
    )
    plan, _ = planned(space=ONE)
    (design,) = designs(plan.template)
    source = ZigzagSource(cache, "tpu-like", plan.technology)
    for launch in (0.0, 1e-5):
        (row,) = source.rows((), replace(design, calibration=Calibration(launch_s=launch))).rows
        assert row.cycles == 5000 + round(launch * design.frequency_hz)
