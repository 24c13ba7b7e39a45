"""Every proven no has a cause: random tiny studies with impossible values name limits, their places and a change."""

from __future__ import annotations

import random
from typing import Any

import pytest

from accmine.errors import CheckError, InfeasibleError, InputError
from accmine.plan import plan_of
from accmine.problems.conflict import infeasible
from accmine.search import FloorQuestion, nothing_fits, require_feasible, without_candidates
from tests.samples.search_sample import pipeline, planned, session, study

IMPOSSIBLE: list[dict[str, Any]] = [
    {"limits": {"area": "1 mm^2"}},
    {"limits": {"tdp": "1 W"}},
    {"device_limits": {"area": "2 mm^2"}},
    {"device_limits": {"tdp": "2 W"}},
    {"space": {"hbm": ["1 MiB"]}, "workload": {"batch": 4096, "microbatch": 4096}},
    {"space": {"frequency": ["1 GHz", "2 GHz"]}},
    {"space": {"tensor_cores": [4000, 5000]}, "limits": {"area": "baseline"}},
    {"space": {"tensor_sram": ["4 GiB"]}, "limits": {"tdp": "baseline"}},
    {"workload": {"batch": 1 << 24, "microbatch": 1 << 24}},
    {"system": {"cluster": "point-to-point"}, "parallel": {"pipeline": 64}},
]


def asked(mode: str, **keys: Any) -> None:
    plan = plan_of(study(mode=mode, models=("gpt",), technology="tpu-16nm", **keys))
    require_feasible(plan, plan.groups(mode))


@pytest.mark.parametrize("seed", range(12))
def test_what_is_impossible_has_a_cause(seed: int) -> None:
    """One or two of the impossible values at once, in every mode, on one device or in a pipeline."""
    rng = random.Random(seed)
    for _ in range(4):
        keys: dict[str, Any] = rng.choice(({}, pipeline(2)))
        for more in rng.sample(IMPOSSIBLE, rng.choice((1, 2))):
            keys = keys | {key: {**keys.get(key, {}), **value} for key, value in more.items()}
        mode = rng.choice(("common", "homogeneous", "heterogeneous"))
        with pytest.raises((InfeasibleError, InputError)) as caught:
            asked(mode, **keys)
        error = caught.value
        if isinstance(error, InputError):
            assert all(complaint.field and complaint.message for complaint in error.complaints)
            continue
        assert isinstance(error, InfeasibleError)
        assert error.conflict, error.summary
        assert len(error.conflict) == len(error.places) <= len(error.remedy)
        assert all(line.partition(": ")[2] for line in error.remedy)


def test_a_no_without_a_cause_is_refused() -> None:
    with pytest.raises(CheckError, match="no cause of it is known"):
        infeasible("no design of the template meets these 0 limits together", [])


@pytest.mark.parametrize("keys", [{"limits": {"area": "baseline", "tdp": "90 W"}}, {"objective": "throughput-per-tdp"}])
def test_what_only_the_bound_refuses_names_what_it_holds(keys: dict[str, Any]) -> None:
    plan, library = planned(**keys)
    own = session(plan, library)
    error = nothing_fits(FloorQuestion(own, "common", without_candidates(own, "common")), "by the bound")
    names = [line.partition(":")[0] for line in error.conflict]
    assert set(names) >= ({"floor"} if "objective" in keys else {"limits.area", "limits.tdp"})
    assert all(line.partition(": ")[2] for line in error.remedy)
