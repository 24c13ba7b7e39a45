"""A step costed operator by operator: sizes that are not given, where choices come from, and what does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml, names, validate
from accmine.hardware import Design, dump_design, facts_of, read_accelerator
from accmine.plan import Plan, plan_of
from accmine.questions.cost.measure import BATCH, MICROBATCH, CostedStep, batches, cost_step
from accmine.study import Study
from tests.samples.search_sample import MODELS, design, designs

OPTIONS: dict[str, int | str] = {"batch": 8, "microbatch": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODELS.items():
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\n{text}")
    (tmp_path / "d.yaml").write_text(dump_design(design(4, 2)))
    return tmp_path


def step(folder: Path, model: str = "mlp", machine: Design | None = None, **options: int | str) -> CostedStep:
    if machine is not None:
        (folder / "d.yaml").write_text(dump_design(machine))
    return cost_step(str(folder / f"{model}.yaml"), str(folder / "d.yaml"), options={**OPTIONS, **options})


given_sizes = st.integers(1, 500)


@settings(max_examples=40, deadline=None)
@given(given_sizes)
def test_a_microbatch_is_the_largest_divisor_that_is_small_enough(batch: int) -> None:
    kept, microbatch = batches(batch, None)
    assert kept == batch
    assert batch % microbatch == 0
    assert 1 <= microbatch <= MICROBATCH
    assert not any(batch % larger == 0 for larger in range(microbatch + 1, MICROBATCH + 1))


@settings(max_examples=40, deadline=None)
@given(given_sizes)
def test_a_batch_is_one_that_the_microbatch_divides(microbatch: int) -> None:
    batch, kept = batches(None, microbatch)
    assert kept == microbatch
    assert batch == (BATCH if BATCH % microbatch == 0 else 4 * microbatch)


@settings(max_examples=40, deadline=None)
@given(st.integers(-5, 50), st.integers(-5, 50))
def test_what_is_given_stays(batch: int, microbatch: int) -> None:
    assert batches(batch, microbatch) == (batch, microbatch)
    assert batches(batch, None)[0] == batch
    assert batches(None, microbatch)[1] == microbatch


def test_nothing_given() -> None:
    assert batches(None, None) == (BATCH, MICROBATCH)


def test_microbatches_make_the_batch(folder: Path) -> None:
    found = step(folder)
    assert found.microbatches == 4
    one = step(folder, batch=2)
    assert one.microbatches == 1
    assert found.task.memory_bytes >= one.task.memory_bytes
    work = [sum(row.count * row.work.macs for row in made.table.rows) for made in (found, one)]
    assert work[0] == 4 * work[1] > 0, "the same products, four times"


def test_the_name_of_a_model_changes_no_cost(folder: Path) -> None:
    (folder / "other.yaml").write_text((folder / "mlp.yaml").read_text().replace("name: mlp", "name: other"))
    own, other = step(folder), step(folder, "other")
    assert (own.workload, other.workload) == ("mlp", "other")
    assert own.accelerator == other.accelerator == "d"
    assert own.table.rows == other.table.rows


def test_every_choice_says_where_it_comes_from(folder: Path) -> None:
    found = {setting.name: setting for setting in step(folder, "gpt", sequence=4, dtype="bf16").settings}
    assert (found["batch"].value, found["batch"].source) == (8, "given")
    assert (found["sequence"].value, found["sequence"].source) == (4, "given")
    assert (found["dtype"].value, found["dtype"].source) == ("bf16", "given"), "also one that is the default"
    assert found["timing"].source == "default"
    assert "image" not in found
    own = {setting.name: setting for setting in step(folder, "gpt").settings}
    assert (own["sequence"].value, own["sequence"].source) == (8, "model")
    image = {setting.name: setting for setting in step(folder).settings}
    assert (image["image"].value, image["image"].source) == (4, "model")
    assert not {"sequence", "split"} & set(image), "nothing to split"


def test_a_larger_memory_and_clock_take_what_is_said_away(folder: Path) -> None:
    (folder / "wide.yaml").write_text("name: wide\n" + MODELS["mlp"].replace("48", "40960"))
    need = step(folder, "wide").task.memory_bytes
    roomy = step(folder, "wide", machine=replace(design(4, 2), hbm_bytes=need))
    tight = step(folder, "wide", machine=replace(design(4, 2), hbm_bytes=need - 1))
    assert roomy.warnings == ()
    assert len(tight.warnings) == 1
    assert "as if it fitted" in tight.warnings[0]
    assert tight.table.rows == roomy.table.rows
    fast = step(folder, "wide", machine=replace(design(4, 2), frequency_hz=5 * 10**9))
    assert "the design runs at 5000 MHz" in fast.no_energy
    assert roomy.no_energy == ""


def test_a_technology_without_energies_changes_no_cycles(folder: Path) -> None:
    bare = cost_step(str(folder / "mlp.yaml"), str(folder / "d.yaml"), "phaze-22nm", OPTIONS)
    assert bare.no_energy == "technology phaze-22nm has no energies"
    own = step(folder)
    assert [row.duration_cycles for row in bare.table.rows] == [row.duration_cycles for row in own.table.rows]


def test_complaints_of_all_inputs_at_once(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        cost_step(str(folder / "mlp.yaml"), "no-chip", "no-node", {"batch": -1, "dtype": "fp7"})
    assert {"--batch", "--dtype", "--design", "--technology"} <= {c.field for c in caught.value.complaints}
    with pytest.raises(InputError) as caught:
        cost_step("no-model", str(folder / "d.yaml"))
    assert {c.field for c in caught.value.complaints} == {"WORKLOAD"}


def test_unknown_options_are_named() -> None:
    with pytest.raises(InputError, match="unknown option lunch, tea; allowed: batch, microbatch"):
        cost_step("mlp", "d", options={"lunch": 1, "batch": 8, "tea": 2})


def planned_on(name: str, model: str, own: dict[str, Any], more: dict[str, Any]) -> Plan:
    """A study of one accelerator of the catalogue, which is its baseline as well."""
    table = {
        "name": "one",
        "workloads": [{"use": model, "batch": 8, "microbatch": 2, **own}],
        "accelerator": {"use": name},
        "baseline": name,
        "baselines": [name],
        "technology": "accelerator-5nm",
        "limits": {"area": "none", "tdp": "none"},
        **more,
    }
    return plan_of(validate(load_yaml(text=json.dumps(table), name="one.yaml"), Study))


ONE_PATH: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("mlp", {}, {}),
    ("gpt", {}, {}),
    ("resnet-18", {"image": 64}, {}),
]
ONE_MORE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("bert-base", {"sequence": 16}, {}),
    ("gpt", {"fusion": "paired", "split": "none"}, {"operator_split": "powers"}),
    ("gpt", {"fusion": "none", "dtype": "fp32"}, {"operator_split": "none"}),
]
CHIPS = [name for name in names("accelerators") if name != "wham" and not facts_of(read_accelerator(name)).anchor]


@pytest.mark.parametrize(
    ("name", "model", "own", "more"),
    [*((name, *row) for name in CHIPS for row in ONE_PATH), *((n, *row) for n in CHIPS[::7] for row in ONE_MORE)],
    ids=str,
)
def test_a_step_costs_what_the_library_of_a_study_says(
    folder: Path, name: str, model: str, own: dict[str, Any], more: dict[str, Any]
) -> None:
    model = str(folder / f"{model}.yaml") if model in MODELS else model
    plan = planned_on(name, model, own, more)
    library, chip = plan.library(), plan.baseline
    (task,) = plan.tasks
    shortest = np.array([modes.duration[0] for modes in library.modes(chip)])
    moved = np.array([modes.hbm_bytes[0] for modes in library.modes(chip)])
    runs = [(run.repeats, library.index(run.graph)[run.graph.work_index]) for run in task.phases]
    found = cost_step(model, name, "accelerator-5nm", {"batch": 8, "microbatch": 2, **own, **more})
    assert found.design == chip
    assert found.table.step.cycles == sum(repeats * int(shortest[works].sum()) for repeats, works in runs) > 0
    assert found.table.step.hbm_bytes == sum(repeats * int(moved[works].sum()) for repeats, works in runs) > 0
    (mine,) = designs(plan.template)
    assert library.modes(mine) is library.modes(chip), "the template holds the accelerator itself"
