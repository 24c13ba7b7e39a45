"""Feasibility: what is refused names the limit and the least value, and that value works."""

from __future__ import annotations

import re
from typing import Any

import pytest

from accmine.errors import InfeasibleError
from accmine.feasibility import format_gib, require_feasible
from accmine.hardware.space import count_feasible
from accmine.plan import make_plan
from tests.search_sample import designs, folder, pipeline, study


def refusal(mode: str = "heterogeneous", **keys: Any) -> InfeasibleError:
    plan = make_plan(study(mode=mode, **keys))
    with pytest.raises(InfeasibleError) as caught:
        require_feasible(plan, plan.groups(mode))
    return caught.value


def accepted(mode: str = "heterogeneous", **keys: Any) -> None:
    plan = make_plan(study(mode=mode, **keys))
    require_feasible(plan, plan.groups(mode))


def least_of(error: InfeasibleError, name: str) -> str:
    """The value that the remedy asks for."""
    (line,) = [line for line in error.remedy if line.startswith(f"{name}:")]
    found = re.search(r"at least ([0-9.e+]+) (mm\^2|W)", line)
    assert found
    return f"{found[1]} {found[2]}"


SYSTEMS: list[tuple[str, dict[str, Any]]] = [
    ("heterogeneous", {}),
    ("heterogeneous", {"models": ("gpt",), **pipeline(2)}),
    ("heterogeneous", {"models": ("gpt",), **pipeline(3)}),
    ("homogeneous", {"models": ("mlp", "gpt"), **pipeline(2)}),
    ("common", {"models": ("mlp", "gpt")}),
    ("common", {"models": ("mlp", "gpt"), "deployment": "concurrent", **pipeline(2)}),
]


@pytest.mark.parametrize(("mode", "keys"), SYSTEMS, ids=str)
@pytest.mark.parametrize(
    ("where", "name"), [("limits", "area"), ("limits", "tdp"), ("device_limits", "area"), ("device_limits", "tdp")]
)
def test_the_least_value_works_and_less_does_not(mode: str, keys: dict[str, Any], where: str, name: str) -> None:
    unit = "mm^2" if name == "area" else "W"
    error = refusal(mode, **keys, **{where: {name: f"1 {unit}"}})
    assert error.conflict == (f"{where}.{name}: 1 {unit}",)
    assert error.exit_code == 1
    value = least_of(error, f"{where}.{name}")
    accepted(mode, **keys, **{where: {name: value}})
    assert error.remedy[0] in str(error)
    less = float(value.split()[0]) - 0.11
    refusal(mode, **keys, **{where: {name: f"{less} {unit}"}})


def test_every_limit_in_conflict_is_named_at_once() -> None:
    error = refusal(limits={"area": "1 mm^2", "tdp": "1 W"}, device_limits={"area": "2 mm^2", "tdp": "2 W"})
    assert error.conflict == (
        "limits.area: 1 mm^2",
        "device_limits.area: 2 mm^2",
        "limits.tdp: 1 W",
        "device_limits.tdp: 2 W",
    )
    values: dict[str, Any] = {
        where: {name: least_of(error, f"{where}.{name}") for name in ("area", "tdp")}
        for where in ("limits", "device_limits")
    }
    accepted(**values)
    plan = make_plan(study(**values))
    assert count_feasible(plan.template, plan.technology, area_mm2=plan.area_mm2, tdp_w=plan.tdp_w) >= 1


def test_without_limits_everything_is_feasible() -> None:
    for mode, keys in SYSTEMS:
        accepted(mode, **keys)


def test_two_limits_of_one_kind() -> None:
    error = refusal(models=("gpt",), limits={"area": "700 mm^2"}, device_limits={"area": "300 mm^2"}, **pipeline(2))
    assert len(error.conflict) == len(error.remedy) == 2
    assert "2 device(s)" in str(error)


MEMORY: dict[str, Any] = {"models": ("gpt",), "space": {"hbm": ["16 GiB", "17 GiB"]}}


def too_large(**more: Any) -> Any:
    """A study whose memory does not fit, without scheduling anything."""
    return make_plan(study(**{**MEMORY, **more}))


def test_memory_is_named_with_its_parts_and_the_least_size() -> None:
    plan = too_large(workload={"batch": 1 << 22, "microbatch": 1 << 21})
    (need,) = plan.pipelines[0].memory
    with pytest.raises(InfeasibleError) as caught:
        require_feasible(plan, plan.groups("heterogeneous"))
    text = str(caught.value)
    for part in (
        need.weights_bytes,
        need.gradients_bytes,
        need.optimizer_bytes,
        need.stash_bytes_per_microbatch * need.in_flight,
        need.working_set_bytes,
        need.total_bytes,
        17 << 30,
    ):
        assert format_gib(part) in text
    gib = re.search(r"accelerator.hbm: at least (\d+) GiB", text)
    assert gib
    assert (int(gib[1]) - 1) << 30 < need.total_bytes <= int(gib[1]) << 30
    enough = make_plan(
        study(models=("gpt",), workload={"batch": 1 << 22, "microbatch": 1 << 21}, space={"hbm": f"{gib[1]} GiB"})
    )
    require_feasible(enough, enough.groups("heterogeneous"))
    assert any("17 GiB" in line for line in caught.value.conflict)
    assert any("smaller microbatch than 2097152" in line for line in caught.value.remedy)
    assert any("recompute" in line for line in caught.value.remedy)


def test_remedies_that_are_taken_already_are_not_offered() -> None:
    plan = too_large(workload={"batch": 1 << 22, "microbatch": 1 << 22, "recompute": "full"})
    with pytest.raises(InfeasibleError) as caught:
        require_feasible(plan, plan.groups("heterogeneous"))
    assert not any("recompute" in line for line in caught.value.remedy)
    assert any("deeper pipeline" in line for line in caught.value.remedy)


def test_the_smallest_design_has_the_memory_of_its_task() -> None:
    """A larger HBM may need more area: the least value counts that of the size that holds the task."""
    space = {"hbm": ["16 GiB", "64 GiB"]}
    small, large = {"batch": 8, "microbatch": 8}, {"batch": 1 << 22, "microbatch": 1 << 21}
    values = []
    for workload in (small, large):
        plan = make_plan(study(models=("gpt",), space=space, workload=workload, limits={"area": "1 mm^2"}))
        with pytest.raises(InfeasibleError) as caught:
            require_feasible(plan, plan.groups("heterogeneous"))
        values.append(float(least_of(caught.value, "limits.area").split()[0]))
    assert values[0] < values[1]
    assert folder().is_dir()
    assert {d.hbm_bytes for d in designs(plan.template)} == {16 << 30, 64 << 30}
