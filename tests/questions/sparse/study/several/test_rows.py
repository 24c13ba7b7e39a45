"""What was found over several devices, as rows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from accmine.questions.sparse.devices import Site, spread
from accmine.questions.sparse.study import measure
from accmine.questions.sparse.study.several.rows import certificate, link_rows, placed_rows, warnings
from accmine.questions.sparse.study.several.solved import Solved, Task
from accmine.sparse.device import load_device
from accmine.study.sparse import read_sparse
from tests.samples.sparse_study_sample import SEVERAL, loaded


def case(folder: Path) -> tuple[Task, Solved]:
    study = loaded(folder, SEVERAL)
    inputs = read_sparse(study)
    budgets = [measure.budget_of(study.study.shares(own), inputs.devices[0]) for own in study.study.sites]
    sites = tuple(Site("small", budget, 100e6) for budget in budgets)
    task = Task(measure.network_problem(study.study, inputs), sites, (Fraction(2),))
    return task, Solved(spread(task.problem, task.sites, task.links), 1.5, ())


def test_a_gap_is_between_answer_and_bound(tmp_path: Path) -> None:
    task, result = case(tmp_path)
    exact = result.found.exact_s
    assert exact is not None
    half = replace(result, found=replace(result.found, exact_bound_s=exact / 2))
    own = certificate(task, half)
    assert (own.gap, own.solver_s) == (0.5, 1.5)
    assert own.bound == pytest.approx(2 * own.objective)
    assert any("Not counted: adapters between layers" in line for line in own.assumptions)
    assert certificate(task, result).gap == 0


def test_a_link_of_any_number(tmp_path: Path) -> None:
    task, result = case(tmp_path)
    (row,) = link_rows(replace(task, links=(None,)), result.found)
    assert (row.words_per_cycle, row.cycles, row.images_per_s, row.binds) == (None, None, None, False)


def test_what_may_not_fit_is_a_warning(tmp_path: Path) -> None:
    task, result = case(tmp_path)
    study = loaded(tmp_path, SEVERAL)
    inputs = read_sparse(study)
    rows = placed_rows(study.study, inputs, task, result.found)
    assert warnings((), rows) == ()
    used = next(row.used for row in rows[1].resources if row.name == "lut")
    file = tmp_path / "small.yaml"
    file.write_text(file.read_text().replace("lut: 20000", f"lut: {used + 1:.0f}"))
    tight = replace(inputs, devices=(inputs.devices[0], load_device(file)))
    (line,) = warnings((), placed_rows(study.study, tight, task, result.found))
    assert line == "LUT: at the upper end of the band the design does not fit device 2, small."
