"""Measured operators through a whole study: they replace the model's costs, and the certificate says how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.certify import assumptions_of, measured_share
from accmine.cost.measured import MEASURED, MODELLED, core_name
from accmine.cost.source import MOST_RUNS, too_many_runs
from accmine.errors import InputError
from accmine.plan import make_plan
from accmine.ports import Stop
from accmine.schedules import schedule_task
from accmine.study import referenced_files, study_hash
from accmine.workload.graph import Gemm, Work
from tests.search_sample import designs, planned, study

HEADER = "kind,m,k,n,batch,dtype,core,cycles,source\n"
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
    modelled, measured = (make_plan(study(space=ONE, **more)) for more in ({}, {"cost": cost}))
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
        make_plan(study(space=ONE, cost={"use": "table", "file": str(path)}))


def test_hours_of_zigzag_are_refused() -> None:
    works = [Work(Gemm(m, 8, 8, 1, 8 * m, 64, 8 * m), (), 1, 1, "bf16") for m in range(1, 101)]
    too_many_runs(works, MOST_RUNS // 100)
    with pytest.raises(InputError, match="ZigZag on 100 products"):
        too_many_runs(works, MOST_RUNS // 100 + 1)


def test_sources_travel_to_other_processes(tmp_path: Path) -> None:
    import pickle

    plan = make_plan(study(space=ONE, cost={"use": "table", "file": table(tmp_path / "t.csv")}))
    library = plan.library()
    (design,) = designs(plan.template)
    first = library.costs(design)
    again = pickle.loads(pickle.dumps(library)).costs(design)
    assert np.array_equal(first.cycles, again.cycles)
