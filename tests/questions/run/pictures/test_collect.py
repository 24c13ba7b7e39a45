"""Records of figures: parts, warnings of what takes most, rooflines of schedules, and what was evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.hardware import load_accelerator
from accmine.hardware.roofline import roofline
from accmine.hardware.technology import area_mm2, load_technology, tdp_w
from accmine.ports import Stop
from accmine.problems.design_search import cost_library
from accmine.questions.run.folder import list_runs
from accmine.questions.run.pictures.collect import heavy_parts, parts_of, roofs
from accmine.questions.run.record import ChosenDesign, Outcome
from accmine.questions.run.run import run
from accmine.report.charts.lanes import devices_of
from accmine.search import schedule_task
from accmine.study import load_study
from tests.samples.page_sample import Page
from tests.samples.run_sample import known
from tests.samples.search_sample import SPACE, graph_of, study_text, task_of


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("run")
    keys: dict[str, Any] = {"limits": {"area": "baseline"}, "budget": {"work": 10, "deterministic": True}}
    (folder / "tiny.yaml").write_text(study_text(space=SPACE, search={"refine": "none"}, **keys))
    return run(load_study(folder / "tiny.yaml"), runs_dir=folder / "runs"), folder


def test_parts_add_up(done: tuple[Outcome, Path]) -> None:
    (design,) = done[0].designs
    assert sum(design.area_parts.values()) == pytest.approx(design.area_mm2)
    assert sum(design.tdp_parts.values()) == pytest.approx(design.tdp_w)
    assert f"tensor_cores: {design.tensor_cores}\n" in design.yaml


def test_everything_evaluated_is_there(done: tuple[Outcome, Path]) -> None:
    outcome = done[0]
    names = [e.name for e in outcome.evaluated]
    assert len(set(names)) == len(names) >= outcome.certificate.evaluated_designs
    assert outcome.designs[0].name in names
    rates = [e.samples_per_s for e in outcome.evaluated]
    assert rates == sorted(rates, reverse=True)
    assert max(e.samples_per_s for e in outcome.evaluated if e.fits) == pytest.approx(
        outcome.workloads[0].samples_per_s, rel=1e-3
    )
    base = next(e for e in outcome.evaluated if e.relative == 1.0)
    assert base.samples_per_s == pytest.approx(outcome.baselines[0].samples_per_s[0], rel=0.05)


def test_the_operators_of_a_roofline_are_those_of_the_schedule(done: tuple[Outcome, Path]) -> None:
    outcome, folder = done
    (roof,) = outcome.roofs
    (stage,) = outcome.stages
    assert sum(o.count for o in roof.operators) == sum(p.operators * p.repeats for p in stage.phases)
    assert roof.left_out_s == 0
    for o in roof.operators:
        roofs = (roof.tensor_flops_per_s if o.product else roof.vector_flops_per_s, o.intensity * roof.hbm_bytes_per_s)
        assert o.flops_per_s <= min(roofs) * (1 + 1e-9)
    # A run of the schedule keeps the cores for as long: each graph is shown once, the table counts its repeats.
    (device,) = devices_of(known(list_runs(folder / "runs")[0], "schedule.json"))
    once = {(s.name, s.start): s.length for row in device.rows.values() for s in row}
    whole = sum(o.seconds for o in roof.operators)
    assert whole >= sum(once.values()) * (1 - 1e-6)
    assert any(s.critical for row in device.rows.values() for s in row)


def test_the_page_of_a_run_shows_all_of_it(done: tuple[Outcome, Path]) -> None:
    path = list_runs(done[1] / "runs")[0].path / "report.html"
    assert {
        *("fig-certificate", "fig-design", "fig-evaluated", "fig-time", "fig-area", "fig-power", "fig-limits"),
        *("fig-gantt-0", "fig-roofline-0", "study"),
    } <= set(Page(path.read_text(encoding="utf-8")).ids)


def design(area: dict[str, float], power: dict[str, float]) -> ChosenDesign:
    return ChosenDesign("d", "", (), sum(area.values()), sum(power.values()), 1.0, area, power)


def test_a_chip_that_is_mostly_memory_is_warned_of() -> None:
    heavy = design(
        {"hbm_interface": 520.0, "uncore": 200.0}, {"hbm": 150.0, "hbm_idle": 60.0, "leakage": 37.0, "uncore": 3}
    )
    first, then = heavy_parts([heavy])
    assert first.startswith("HBM interfaces take 520 of 720 mm² (72.2 %) of d")
    assert then.startswith("HBM and leakage take 247 of 250 W TDP (98.8 %) of d")
    light = design({"hbm_interface": 300.0, "uncore": 310.0}, {"hbm": 100.0, "tensor_macs": 120.0})
    assert heavy_parts([light, replace(light, area_parts={}, tdp_parts={})]) == []


def test_a_large_hbm_is_what_the_warning_is_for() -> None:
    """20 stacks: what 160 GiB need in the technology that the quick start takes."""
    from accmine.hardware import load_accelerator

    technology = load_technology("tpu-16nm")
    large = replace(load_accelerator("tpuv2-like"), hbm_bytes=160 << 30)
    costs = (area_mm2(large, technology), tdp_w(large, technology))
    chosen = ChosenDesign(large.name, "", (), *costs, 1.0, **parts_of(large, technology))
    assert chosen.area_parts["hbm_interface"] > 500
    assert any(text.startswith("HBM interfaces take") for text in heavy_parts([chosen]))


def test_the_roof_is_that_of_the_fastest_type() -> None:
    """Most products are in bf16 here; the one in fp8 may be faster than arrays are in bf16."""
    graph = graph_of([("gemm", 300, ()), ("gemm", 16, (0,)), ("vector", 16, (1,))])
    types = ("bf16", "fp8", "fp32")
    operators = (replace(o, work=replace(o.work, dtype=t)) for o, t in zip(graph.operators, types, strict=True))
    task, design = task_of(replace(graph, operators=tuple(operators))), load_accelerator("h100")
    counts = (design.tensor_cores, design.vector_cores)
    library = cost_library([task], counts, "even", "tpu-like", load_technology("accelerator-5nm"))
    (roof,) = roofs({(0, 0): schedule_task(task, library, design, "list", Stop(), 0)}, library)
    assert roof.tensor_flops_per_s == roofline(design, "fp8").tensor_flops_per_s
    assert roof.tensor_flops_per_s > roofline(design, "bf16").tensor_flops_per_s
    assert roof.vector_flops_per_s == roofline(design, "fp32").vector_flops_per_s
