"""Shared SRAM, ports, stacks, flexible arrays, residency and calibrations through a whole study: bounds stay bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accmine.cost import INVALID, durations
from accmine.cost.modes import hbm_capacity
from accmine.errors import InputError
from accmine.hardware.technology import tdp_w
from accmine.plan import plan_of
from accmine.ports import Stop
from accmine.problems.design_search.space_bound import scan
from accmine.search import schedule_task, search_problem
from tests.samples.search_sample import designs, folder, planned, study

STACKS = {"hbm_stacks": [1, 2], "hbm_stack": "8 GiB", "hbm_stack_bandwidth": "35 GB/s"}
SHARED = {"shared_sram": ["0 B", "64 KiB"], "port_bandwidth": ["2 GB/s", "20 GB/s"]}
SMALL = {"tensor_cores": [1, 2], "tensor_dim": [4, 8], "tensor_sram": ["8 KiB", "64 KiB"]}
CASES: dict[str, dict[str, Any]] = {
    "shared": {"space": SMALL | SHARED},
    "stacks": {"space": SMALL | STACKS},
    "flexible": {"space": SMALL | {"dataflow": ["ws", "flexible"]}},
    "resident": {"space": SMALL | SHARED, "residency": "shared-sram"},
    "together": {"space": SMALL | SHARED | STACKS | {"dataflow": ["os", "flexible"]}, "residency": "shared-sram"},
}
OBJECTIVES = ("throughput", "throughput-per-tdp")


def keys(case: str, objective: str) -> dict[str, Any]:
    more: dict[str, Any] = {"limits": {"area": "none", "tdp": "none"}, "objective": objective}
    return CASES[case] | more | ({"floor": 0.0} if objective == "throughput-per-tdp" else {})


FULL = [
    pytest.param(case, objective, marks=() if objective == "throughput" and case != "together" else pytest.mark.full)
    for case in CASES
    for objective in OBJECTIVES
]


@pytest.mark.parametrize(("case", "objective"), FULL)
def test_the_bound_of_the_space_is_below_every_schedule(case: str, objective: str) -> None:
    plan, library = planned(**keys(case, objective))
    (group,) = plan.groups(plan.study.mode)
    problem = search_problem(plan, group, 1, library)
    every = designs(plan.template)
    assert len(every) == plan.template.size == len(set(every))
    assert all(plan.template.contains(design) for design in every)
    found = scan(problem)
    assert found.feasible == len(every)
    least = float("inf")
    for design in every:
        schedules = [schedule_task(task, library, design, "list", Stop(), 0) for task in problem.tasks]
        for schedule in schedules:
            for phase in schedule.phases:
                moved = phase.lowered.hbm_bytes(phase.result.solution)  # type: ignore[arg-type]
                assert moved <= phase.cycles * hbm_capacity(design)
        step = sum(s.busy_s for s in schedules) / plan.reference_s[0]
        value = step if objective == "throughput" else step * tdp_w(design, plan.technology)
        least = min(least, value)
    assert found.value <= least * (1 + 1e-12)
    assert found.value > 0.2 * least  # and it says something


def test_a_wider_port_never_makes_an_operator_slower() -> None:
    plan, library = planned(**keys("shared", "throughput"))
    narrow = [d for d in designs(plan.template) if d.port_bytes_per_s == 2 * 10**9]
    assert narrow
    slower = 0
    for design in narrow:
        wide = replace(design, port_bytes_per_s=20 * 10**9)
        a, b = (durations(library.costs(d), d.usable_hbm_bytes_per_cycle) for d in (design, wide))
        assert (b <= np.ceil(a * (1 + 1e-5))).all()  # the tie-break weighs bytes by 1e-6
        slower += int((b < a).sum())
    assert slower


def test_a_calibrated_accelerator_is_slower_throughout(tmp_path: Any) -> None:
    text = (folder() / "base.yaml").read_text()
    section = (
        "calibration: {launch: 2 us, array_efficiency: 0.5, vector_efficiency: 0.8, hbm_efficiency: 0.7, source: t}\n"
    )
    (tmp_path / "slow.yaml").write_text(text + section)
    plain, slow = (
        plan_of(study(space={"use": str(path), **SMALL})) for path in (folder() / "base.yaml", tmp_path / "slow.yaml")
    )
    assert slow.template.calibration.array_efficiency == 0.5
    fast, late = plain.library(), slow.library()
    for one, other in zip(designs(plain.template), designs(slow.template), strict=True):
        assert other.calibration == slow.template.calibration
        a, b = fast.costs(one), late.costs(other)
        assert set(b.corrections.launch_cycles.tolist()) == {1400}
        for here, there, efficiency in ((a.tensor, b.tensor, 0.5), (a.vector, b.vector, 0.8)):
            valid = here.cycles != INVALID
            # Tiles are chosen for the peaks: the same ones, each as much slower as the units are.
            assert np.array_equal(there.cycles[valid], np.ceil(here.cycles[valid] / efficiency))
            assert (there.cycles[~valid] == INVALID).all()
            assert np.array_equal(there.hbm_bytes, here.hbm_bytes)
        for before, after in zip(fast.modes(one), late.modes(other), strict=True):
            assert after.duration[0] >= before.duration[0] + 1400
        for task in plain.tasks:
            x, y = (schedule_task(task, lib, design, "list", Stop(), 0) for lib, design in ((fast, one), (late, other)))
            assert y.busy_s > x.busy_s


def test_stacks_have_to_be_those_of_the_technology() -> None:
    with pytest.raises(InputError, match=r"accelerator\.hbm_stack: 16 GiB and 35 GB/s"):
        plan_of(study(space=SMALL | STACKS | {"hbm_stack": "16 GiB"}))
    with pytest.raises(InputError, match="leave one of them out"):
        plan_of(study(space=SMALL | STACKS | {"hbm": "16 GiB"}))


def test_residency_needs_a_shared_sram() -> None:
    with pytest.raises(InputError, match=r"residency: shared-sram"):
        plan_of(study(space=SMALL, residency="shared-sram"))


def test_an_accelerator_is_split_over_all_of_its_cores(tmp_path: Any) -> None:
    text = (folder() / "base.yaml").read_text().replace("tensor_cores: 2", "tensor_cores: 7")
    values = "launch: 0 s, array_efficiency: 0.9, vector_efficiency: 1.0, hbm_efficiency: 1.0, source: test"
    (tmp_path / "plain.yaml").write_text(text)
    (tmp_path / "fitted.yaml").write_text(f"{text}calibration: {{{values}}}\n")

    def splits(rule: str, **space: Any) -> tuple[int, ...]:
        return plan_of(study(space=space, operator_split=rule)).library().splits

    plain, fitted = (str(tmp_path / f"{name}.yaml") for name in ("plain", "fitted"))
    assert splits("even", use=plain) == splits("even", use=fitted) == tuple(range(1, 8))
    assert splits("even", tensor_cores=[1, 2, 5, 7]) == tuple(range(1, 8))
    # Under the rule of powers only a calibrated accelerator has its own count, on which its constants were fitted;
    # alone or in a space of core counts, another design has the same splits, or it could beat the bound of its space.
    assert splits("powers", use=plain) == splits("powers", tensor_cores=[1, 5, 7]) == (1, 2, 4)
    assert splits("powers", use=fitted) == (1, 2, 4, 7)
    assert splits("none", use=fitted) == (1,)
