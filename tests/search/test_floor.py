"""A floor nothing reaches: what is proven to be needed is needed, and what is said to work works."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from accmine.errors import InfeasibleError, NothingFoundError
from accmine.questions.run.record import Outcome
from accmine.questions.run.run import run
from accmine.study import load_study
from tests.samples.search_sample import pipeline, study_text

SPACE = {"tensor_cores": [1, 2, 4, 8, 16], "tensor_dim": [8, 16], "vector_cores": [1, 2, 4, 8], "vector_lanes": [8, 16]}
KEYS: dict[str, Any] = {
    "models": ("gpt",),
    "space": SPACE,
    "limits": {"area": "baseline", "tdp": "baseline"},
    "objective": "throughput-per-tdp",
    "budget": {"work": 1, "deterministic": True},
    "search": {"refine": "none", "top_k": 3, "shares": 3},
}


def outcome(floor: float, **more: Any) -> Outcome:
    keys = KEYS | {"floor": floor} | more
    with TemporaryDirectory() as name:
        path = Path(name) / "tiny.yaml"
        path.write_text(study_text(**keys))
        return run(load_study(path), runs_dir=Path(name) / "runs")


def refusal(floor: float, **more: Any) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as caught:
        outcome(floor, **more)
    return caught.value


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"(?<![\w.])\d+\.?\d*", text)]


@lru_cache(maxsize=1)
def alone() -> InfeasibleError:
    return refusal(3.0)


def test_the_floor_that_works_works_and_more_than_proven_does_not() -> None:
    error = alone()
    assert error.conflict[0] == "floor: 3"
    assert error.places[0] == ("floor",)
    assert error.exit_code == 1
    most, works = numbers(error.remedy[0])
    assert works <= most < 3
    assert "is possible (proven)" in error.remedy[0]
    assert outcome(works).status in ("optimal", "feasible")
    assert numbers(refusal(most + 2e-4).remedy[0])[0] == most


def test_the_limits_in_conflict_with_the_floor() -> None:
    """Area and TDP of the baseline both stand against it, each alone."""
    error = alone()
    assert [line.partition(":")[0] for line in error.conflict] == ["floor", "limits.area", "limits.tdp"]
    assert "2 conflicts" in error.summary
    assert all("no value of it is enough" in line for line in error.remedy[1:])
    single = refusal(3.0, limits={"area": "baseline"})
    assert [line.partition(":")[0] for line in single.conflict] == ["floor", "limits.area"]
    needed, *works = numbers(single.remedy[1].partition(": ")[2].replace("mm^2", ""))
    assert works or "proven" not in single.remedy[1]
    refusal(3.0, limits={"area": f"{needed - 2e-4} mm^2"})
    enough = (works or [needed])[0]
    assert outcome(3.0, limits={"area": f"{enough} mm^2"}).area_mm2 <= enough * (1 + 1e-9)


def test_a_floor_beyond_every_limit_stands_alone() -> None:
    error = refusal(1e6, limits={"area": "baseline", "tdp": "baseline"}, device_limits={"area": "none"})
    assert [line.partition(":")[0] for line in error.conflict] == ["floor"]
    assert "none meets this floor" in error.summary


@pytest.mark.full
def test_the_floor_of_a_pipeline_with_a_design_per_stage() -> None:
    keys: dict[str, Any] = pipeline(2)
    error = refusal(3.0, **keys)
    most, works = numbers(error.remedy[0])
    assert works <= most < 3
    assert outcome(works, **keys).status in ("optimal", "feasible")
    with pytest.raises((InfeasibleError, NothingFoundError)):
        outcome(most + 2e-4, **keys)
    assert [line.partition(":")[0] for line in error.conflict] == ["floor", "limits.area", "limits.tdp"]
