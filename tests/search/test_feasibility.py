"""Feasibility: what is refused names the limit and the least value, and that value works."""

from __future__ import annotations

import re
from typing import Any

import pytest

from accmine.errors import InfeasibleError
from accmine.hardware import count_feasible, smallest
from accmine.plan import plan_of
from accmine.search import require_feasible
from accmine.search.feasibility import format_gib
from tests.samples.search_sample import designs, folder, pipeline, study


def refusal(mode: str = "heterogeneous", **keys: Any) -> InfeasibleError:
    plan = plan_of(study(mode=mode, **keys))
    with pytest.raises(InfeasibleError) as caught:
        require_feasible(plan, plan.groups(mode))
    return caught.value


def accepted(mode: str = "heterogeneous", **keys: Any) -> None:
    plan = plan_of(study(mode=mode, **keys))
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
    assert error.remedy == (f"{where}.{name}: at least {value}",)
    assert error.places == ((where, name),)
    less = float(value.split()[0]) - 0.00011
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
    plan = plan_of(study(**values))
    assert count_feasible(plan.template, plan.technology, area_mm2=plan.area_mm2, tdp_w=plan.tdp_w) >= 1


def test_without_limits_everything_is_feasible() -> None:
    for mode, keys in SYSTEMS:
        accepted(mode, **keys)


def test_two_limits_of_one_kind() -> None:
    error = refusal(models=("gpt",), limits={"area": "700 mm^2"}, device_limits={"area": "300 mm^2"}, **pipeline(2))
    assert error.conflict == ("limits.area: 700 mm^2", "device_limits.area: 300 mm^2")
    whole, single = (float(least_of(error, f"{where}.area").split()[0]) for where in ("limits", "device_limits"))
    assert whole == pytest.approx(2 * single, abs=2e-4)
    assert "2 conflicts, and each needs a change" in error.summary
    assert (
        error.remedy[2] == f"together: limits.area: {whole:.10g} mm^2 and device_limits.area: {single:.10g} mm^2 work"
    )


MEMORY: dict[str, Any] = {"models": ("gpt",), "space": {"hbm": ["16 GiB", "17 GiB"]}}


def too_large(**more: Any) -> Any:
    """A study whose memory does not fit, without scheduling anything."""
    return plan_of(study(**{**MEMORY, **more}))


def test_memory_is_named_with_its_parts_and_the_least_change_of_each_limit() -> None:
    keys = {"batch": 1 << 21, "microbatch": 1 << 21}
    plan = too_large(workload=keys)
    (need,) = plan.pipelines[0].memory
    with pytest.raises(InfeasibleError) as caught:
        require_feasible(plan, plan.groups("heterogeneous"))
    error = caught.value
    for part in (
        need.weights_bytes,
        need.gradients_bytes,
        need.optimizer_bytes,
        need.stash_bytes_per_microbatch * need.in_flight,
        need.working_set_bytes,
        need.total_bytes,
        17 << 30,
    ):
        assert format_gib(part) in error.summary
    assert error.conflict == ("accelerator.hbm: [16 GiB, 17 GiB]", f"workloads.0.microbatch: {1 << 21}")
    assert error.places == (("accelerator", "hbm"), ("workloads", 0, "microbatch"))
    gib = re.fullmatch(r"accelerator\.hbm: at least (\d+) GiB", error.remedy[0])
    most = re.fullmatch(r"workloads\.0\.microbatch: at most (\d+)", error.remedy[1])
    assert gib
    assert most
    size, microbatch = int(gib[1]), int(most[1])
    accepted(models=("gpt",), workload=keys, space={"hbm": f"{size} GiB"})
    refusal(models=("gpt",), workload=keys, space={"hbm": f"{size - 1} GiB"})
    accepted(**MEMORY, workload=keys | {"microbatch": microbatch})
    refusal(**MEMORY, workload=keys | {"microbatch": 2 * microbatch})


def test_recomputation_that_is_enough_is_offered() -> None:
    """The memory is between what recomputation needs and what the study asks for."""
    for microbatch in (1 << 20, 1 << 21, 1 << 22):
        keys = {"batch": microbatch, "microbatch": microbatch}
        needs = [
            too_large(workload=keys | {"recompute": how}).pipelines[0].memory[0].total_bytes for how in ("none", "full")
        ]
        sizes = [gib for gib in range(1, 200) if needs[1] <= gib << 30 < needs[0]]
        if sizes:
            break
    else:
        pytest.fail("recomputation saves less than a GiB in this model")
    space = {"hbm": f"{sizes[0]} GiB"}
    error = refusal(models=("gpt",), workload=keys, space=space)
    assert "workloads.0.recompute: full" in error.remedy
    accepted(models=("gpt",), workload=keys | {"recompute": "full"}, space=space)
    done = refusal(**MEMORY, workload={"batch": 1 << 22, "microbatch": 1 << 22, "recompute": "full"})
    assert not any("recompute" in line for line in done.remedy)


def test_a_range_of_the_study_is_named_when_a_smaller_value_helps() -> None:
    space = {"tensor_cores": [64, 128], "tensor_dim": 256}
    error = refusal(space=space)
    names = [line.partition(":")[0] for line in error.conflict]
    assert "accelerator.tensor_cores" in names
    assert "accelerator.tensor_dim" in names
    assert "device_limits.area" in names
    for line, limit in zip(error.remedy, error.conflict, strict=False):
        key, _, change = line.partition(": ")
        assert limit.startswith(key)
        if not key.startswith("accelerator.") or "once" in change:
            continue
        most = int(change.split()[2].rstrip(","))
        name = key.removeprefix("accelerator.")
        accepted(space=space | {name: most})
        refusal(space=space | {name: most + 1})


def test_a_range_that_the_template_sets_is_not_in_question() -> None:
    error = refusal(space={}, limits={"area": "1 mm^2"})
    assert error.conflict == ("limits.area: 1 mm^2",)


def test_one_range_in_two_conflicts() -> None:
    """Fewer cores resolve both; each of the limits only its own."""
    one = plan_of(study(space={"tensor_cores": 1, "vector_cores": 1}))
    many = plan_of(study(space={"tensor_cores": 40, "vector_cores": 1}))
    cost = [
        (smallest(plan.template, plan.technology).area_mm2, smallest(plan.template, plan.technology).tdp_w or 0.0)
        for plan in (one, many)
    ]
    area, tdp = ((cost[0][i] + cost[1][i]) / 2 for i in range(2))
    keys: dict[str, Any] = {"space": {"tensor_cores": 40}, "limits": {"area": f"{area} mm^2", "tdp": f"{tdp} W"}}
    error = refusal(**keys)
    assert [line.partition(":")[0] for line in error.conflict] == [
        "accelerator.tensor_cores",
        "limits.area",
        "limits.tdp",
    ], "what resolves both comes first"
    assert "2 conflicts" in error.summary
    assert error.summary.endswith("What helps:")
    assert "which is enough alone" in error.remedy[0]
    most = int(error.remedy[0].split()[3].rstrip(","))
    accepted(**keys | {"space": {"tensor_cores": most}})
    refusal(**keys | {"space": {"tensor_cores": most + 1}})
    for i, name in ((1, "area"), (2, "tdp")):
        assert "once the other conflicts are resolved" in error.remedy[i]
        alone = keys["limits"] | {name: least_of(error, f"limits.{name}")}
        refusal(**keys | {"limits": alone})


def test_the_smallest_design_has_the_memory_of_its_task() -> None:
    """A larger HBM may need more area: the least value counts that of the size that holds the task."""
    space = {"hbm": ["16 GiB", "64 GiB"]}
    small, large = {"batch": 8, "microbatch": 8}, {"batch": 1 << 22, "microbatch": 1 << 21}
    values = []
    for workload in (small, large):
        plan = plan_of(study(models=("gpt",), space=space, workload=workload, limits={"area": "1 mm^2"}))
        with pytest.raises(InfeasibleError) as caught:
            require_feasible(plan, plan.groups("heterogeneous"))
        values.append(float(least_of(caught.value, "limits.area").split()[0]))
    assert values[0] < values[1]
    assert folder().is_dir()
    assert {d.hbm_bytes for d in designs(plan.template)} == {16 << 30, 64 << 30}
