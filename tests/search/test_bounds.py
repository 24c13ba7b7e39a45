"""The certificate of the whole against brute force over every design of tiny spaces."""

from __future__ import annotations

from itertools import pairwise, product
from math import inf
from typing import Any

import numpy as np
import pytest

from accmine.hardware import count_feasible
from accmine.plan import Plan, under_limits
from accmine.ports import Stop
from accmine.result import Status
from accmine.search import GroupCandidates, bound_whole, scope_of, select, study_value
from accmine.search.bounds import ASSUMPTIONS
from tests.samples.search_sample import brute_groups, folder, pipeline, session
from tests.samples.search_sample import planned as planned_by

SMALL: dict[str, Any] = {"tensor_cores": [1, 2, 4], "tensor_dim": [8], "vector_cores": [1, 2], "vector_lanes": [4, 8]}


def planned(solver: str = "highs", **keys: Any) -> tuple[Plan, Any]:
    """A plan whose selections a solver decides."""
    return planned_by(search={"select": solver}, **keys)


def least(plan: Plan, groups: list[GroupCandidates]) -> float:
    """Least value of all choices of designs within the limits; list schedules, so no bound may be above it."""
    sizes = [len(g.candidates) for g in groups]
    picks = np.stack(np.unravel_index(np.arange(int(np.prod(sizes))), sizes), axis=1)
    times: dict[tuple[int, int], list[Any]] = {}
    area, tdp = np.zeros(len(picks)), np.zeros(len(picks))
    for k, g in enumerate(groups):
        count = plan.devices if plan.study.deployment == "time-shared" else len(g.group.members)
        area += count * np.array([c.area_mm2 for c in g.candidates])[picks[:, k]]
        tdp += count * np.array([c.tdp_w for c in g.candidates])[picks[:, k]]
        for i, member in enumerate(g.group.members):
            table = np.array([g.phase_s(c, i) for c in g.candidates])[picks[:, k]]
            times[member] = list(table.T)
    by_stage = [[times[w, s] for s in range(len(p.tasks))] for w, p in enumerate(plan.pipelines)]
    value = np.asarray(study_value(plan, by_stage, tdp))
    return float(np.where((area <= plan.area_mm2) & (tdp <= plan.tdp_w), value, inf).min())


MODES: list[tuple[str, dict[str, Any]]] = [
    ("heterogeneous", {"models": ("mlp",)}),
    ("heterogeneous", {"models": ("gpt",), **pipeline(2)}),
    ("homogeneous", {"models": ("gpt",), **pipeline(2, schedule="gpipe")}),
    ("common", {"models": ("mlp", "gpt")}),
    ("common", {"models": ("mlp", "gpt"), "aggregate": "mean", **pipeline(2)}),
    ("common", {"models": ("mlp", "gpt"), "deployment": "concurrent"}),
    ("homogeneous", {"models": ("mlp", "gpt"), "aggregate": "mean", "space": SMALL, **pipeline(2)}),
    ("heterogeneous", {"models": ("mlp", "gpt"), "operator_split": "none", "space": SMALL}),
    ("heterogeneous", {"models": ("mlp",), "workload": {"batch": 32}, "limits": {"area": "829 mm^2"}, **pipeline(2)}),
]
OBJECTIVES: list[dict[str, Any]] = [
    {"objective": "throughput"},
    {"objective": "bottleneck"},
    {"objective": "throughput-per-tdp", "floor": 0},
    {"objective": "throughput-per-tdp", "floor": 0.8},
]


SAMPLED = [
    pytest.param(mode, keys, objective, marks=() if i % 4 == k else pytest.mark.full)
    for i, (mode, keys) in enumerate(MODES)
    for k, objective in enumerate(OBJECTIVES)
]


@pytest.mark.parametrize(("mode", "keys", "objective"), SAMPLED)
def test_no_choice_of_designs_is_better_than_the_bound(
    mode: str, keys: dict[str, Any], objective: dict[str, Any]
) -> None:
    plan, library = planned(mode=mode, **keys, **objective)
    groups = brute_groups(plan, library, mode)
    value = least(plan, groups)
    found = bound_whole(session(plan, library), mode, groups)
    assert found.value <= value * (1 + 1e-12)
    assert found.value >= 0.75 * min(value, 1e9), "far from the best, it would say nothing"
    assert found.feasible == sum(len(g.candidates) for g in groups)
    assert found.method


def test_the_bound_holds_where_the_links_are_the_bottleneck() -> None:
    """Times that are no decimals are rounded up in the integer selection; transfers are too."""
    for cluster in ("point-to-point", "pcie-ring"):
        for microbatch in (1, 4):
            plan, library = planned(
                models=("mlp",),
                objective="bottleneck",
                workload={"microbatch": microbatch},
                limits={"area": "832 mm^2"},
                system={"cluster": cluster},
                parallel={"pipeline": 2},
            )
            groups = brute_groups(plan, library, "heterogeneous")
            value = least(plan, groups)
            found = bound_whole(session(plan, library), "heterogeneous", groups)
            assert found.value <= value
            assert found.value >= value * (1 - 1e-5), "the link is the same with every design"


@pytest.mark.parametrize("solver", ["highs", "cp-sat", "auto"])
def test_a_deep_pipeline_of_many_microbatches(solver: str) -> None:
    space = {"tensor_cores": [2, 4]}
    plan, library = planned(
        solver, models=("gpt",), space=space, workload={"batch": 64, "microbatch": 1}, **pipeline(3)
    )
    groups = brute_groups(plan, library, "heterogeneous")
    value = least(plan, groups)
    found = bound_whole(session(plan, library), "heterogeneous", groups)
    assert 0.75 * value <= found.value <= value


def test_the_selection_by_fronts_is_no_better_than_the_scan_where_both_apply() -> None:
    from accmine.search.bounds import _by_selection

    plan, library = planned(models=("gpt",))
    groups = brute_groups(plan, library, "heterogeneous")
    scanned = bound_whole(session(plan, library), "heterogeneous", groups)
    selected = _by_selection(session(plan, library), "heterogeneous", groups)
    assert selected.feasible == scanned.feasible == count_feasible(plan.template, plan.technology)
    assert 0.9 * scanned.value <= selected.value <= scanned.value


def test_more_freedom_never_raises_the_bound() -> None:
    values = {}
    for mode in ("common", "homogeneous", "heterogeneous"):
        plan, library = planned(models=("mlp", "gpt"), mode=mode, deployment="concurrent", space=SMALL, **pipeline(2))
        groups = brute_groups(plan, library, mode)
        values[mode] = bound_whole(session(plan, library), mode, groups).value
    assert values["heterogeneous"] <= values["homogeneous"] * (1 + 1e-5)
    assert values["homogeneous"] <= values["common"] * (1 + 1e-5)


def test_larger_limits_never_raise_the_bound() -> None:
    bounds = []
    for area in ("827 mm^2", "1000 mm^2"):
        plan, library = planned(models=("gpt",), limits={"area": area}, **pipeline(2))
        groups = brute_groups(plan, library, "heterogeneous")
        bounds.append(bound_whole(session(plan, library), "heterogeneous", groups).value)
    assert all(a >= b * (1 - 1e-5) for a, b in pairwise(bounds))
    assert bounds[0] > bounds[-1]


def test_what_no_choice_can_meet_is_infinite() -> None:
    plan, library = planned(models=("gpt",), **pipeline(2))
    groups = brute_groups(plan, library, "heterogeneous")
    tight = under_limits(plan, {"limits.area": 700.0})
    assert bound_whole(session(tight, library), "heterogeneous", groups).value == inf
    quick, library = planned(models=("gpt",), mode="common", objective="throughput-per-tdp", floor=50)
    assert bound_whole(session(quick, library), "common", brute_groups(quick, library, "common")).value == inf


def test_without_time_the_bound_is_weak_but_valid() -> None:
    for objective, solver in zip(OBJECTIVES[::2], ("cp-sat", "highs"), strict=True):
        plan, library = planned(solver, models=("gpt",), limits={"area": "830 mm^2"}, **objective, **pipeline(2))
        groups = brute_groups(plan, library, "heterogeneous")
        found = bound_whole(session(plan, library, Stop(seconds=0)), "heterogeneous", groups)
        value = least(plan, groups)
        assert 0.1 * value < found.value <= value, "the shortest time of every stage needs no search"


def test_the_selection_among_mined_candidates_is_no_better_than_the_bound() -> None:
    for objective in OBJECTIVES[:3:2]:
        plan, library = planned(models=("gpt",), limits={"area": "832 mm^2"}, **objective, **pipeline(2))
        groups = brute_groups(plan, library, "heterogeneous")
        chosen = select(session(plan, library), "heterogeneous", groups, Stop())
        assert chosen.result.status is Status.OPTIMAL
        assert bound_whole(session(plan, library), "heterogeneous", groups).value <= chosen.value


def test_the_scope_names_what_is_fixed() -> None:
    plan, _ = planned(models=("gpt",), workload={"recompute": "full", "split": "none"}, **pipeline(2))
    text = "\n".join(scope_of(plan, "heterogeneous"))
    cut = plan.pipelines[0].stages[1].layers[0]
    wanted = ("tpu-16nm", "tpu-like", "operator_split even", "microbatch 4", "recompute full", "split none", "1f1b")
    for part in (*wanted, f"before layers {cut}"):
        assert part in text
    assert "experts" not in text
    (folder() / "moe.yaml").write_text(
        "family: llama\nlayers: 1\nwidth: 32\nheads: 2\nvocabulary: 48\npositions: 16\nsequence: 8\n"
        "experts: 4\nexperts_per_token: 2\n"
    )
    experts, _ = planned(models=("moe",))
    assert "all experts equally loaded" in "\n".join(scope_of(experts, "common"))
    alone, _ = planned()
    assert "schedule" not in "\n".join(scope_of(alone, "common"))
    assert any("Pipeline" in sentence for sentence in ASSUMPTIONS)


@pytest.mark.full
@pytest.mark.parametrize(("area", "tdp"), [*product(("828 mm^2", "830 mm^2", "834 mm^2"), ("146.4 W", "148 W"))])
@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("model", ["mlp", "gpt"])
@pytest.mark.parametrize("split", ["even", "none"])
def test_more_limits(model: str, split: str, objective: dict[str, Any], area: str, tdp: str) -> None:
    limits = {"area": area, "tdp": tdp}
    plan, library = planned(models=(model,), limits=limits, operator_split=split, **objective, **pipeline(2))
    for mode in ("heterogeneous", "homogeneous"):
        groups = brute_groups(plan, library, mode)
        value = least(plan, groups)
        found = bound_whole(session(plan, library), mode, groups)
        assert found.value <= value * (1 + 1e-12)
