"""The operator-schedule problems of studies: names, stages of equal work, designs, and files that are read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.hardware import dump_design
from accmine.plan import plan_of
from accmine.problems.operator_schedule import Problem
from accmine.questions.gap.schedules.problems import INDEX, files, phase_problems, studies_of
from accmine.search.schedules import lowered_of
from accmine.solving import load_problem
from tests.samples.gap_sample import study
from tests.samples.search_sample import design, pipeline


def equal(a: Problem, b: Problem) -> bool:
    """Whether two problems are the same, however their mode sets are numbered."""
    same = a.names == b.names and a.resources == b.resources and (a.capacity == b.capacity).all()
    pairs = zip(a.mode_set.tolist(), b.mode_set.tolist(), strict=True)
    modes = all(
        np.array_equal(a.mode_sets[i].duration, b.mode_sets[j].duration)
        and np.array_equal(a.mode_sets[i].uses, b.mode_sets[j].uses)
        for i, j in pairs
    )
    return bool(same and modes and set(map(tuple, a.edges.tolist())) == set(map(tuple, b.edges.tolist())))


def test_of_one_device() -> None:
    found = phase_problems("tiny", study())
    assert [(own.model, own.stages, own.phase) for own in found] == [("mlp", (), "step"), ("mlp", (), "update")]
    plan = plan_of(study())
    (task,) = plan.tasks
    for own, lowered, run in zip(found, lowered_of(task, plan.library(), plan.baseline), task.phases, strict=True):
        assert equal(own.problem, lowered.problem)
        assert own.repeats == run.repeats
        assert own.cycle_s == 1 / plan.baseline.frequency_hz


def test_stages_of_equal_work_share_a_problem() -> None:
    found = phase_problems("tiny", study(models=("gpt",), **pipeline(2)))
    plan = plan_of(study(models=("gpt",), **pipeline(2)))
    first, second = plan.tasks
    assert first.signature != second.signature  # one has the embedding, one the head
    assert [(own.stages, own.phase) for own in found] == [
        ((stage,), phase) for stage in (0, 1) for phase in ("forward", "backward", "update")
    ]
    assert found[0].name.startswith("gpt.stage0.forward.")
    total = sum(own.repeats for own in found)
    assert total == sum(run.repeats for task in plan.tasks for run in task.phases)


def test_another_design(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(dump_design(design(tensor_cores=3)))
    found = phase_problems("tiny", study(), str(file))
    assert [own.problem.capacity[0] for own in found] == [3, 3]
    assert found[0].name == "mlp.step.mine"
    with pytest.raises(InputError, match="this file is a template"):
        phase_problems("tiny", study(), "wham")


def test_files_are_read_back() -> None:
    found = phase_problems("tiny", study())
    texts = files(found)
    rows = json.loads(texts[INDEX])["problems"]
    assert [row["file"] for row in rows] == [f"{own.name}.json" for own in found]
    for own, row in zip(found, rows, strict=True):
        assert equal(load_problem(texts[row["file"]]), own.problem)
        assert (row["phase"], row["repeats"], row["operations"]) == (own.phase, own.repeats, len(own.problem))
    with pytest.raises(InputError, match="two problems are called"):
        files([*found, *found])


def test_studies_of_a_suite() -> None:
    found = studies_of([], "wham", ["vgg-16", "resnet-18"], ["budget.seed=7"])
    assert [(name, needs) for name, _, needs in found] == [("resnet-18", ""), ("vgg-16", "")]
    assert all(own.budget.seed == 7 for _, own, _ in found)  # type: ignore[union-attr]
    assert [name for name, _, needs in studies_of([], "wham") if needs] == ["gpt-3-175b"]
    assert len(studies_of([], "wham")) == 11
    with pytest.raises(InputError, match="unknown model 'resnet-81'; did you mean 'resnet-18'"):
        studies_of([], "wham", ["resnet-81"])
