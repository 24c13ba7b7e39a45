"""One column per pipeline: what is picked fits, and nothing that fits is much better."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.record import Record
from accmine.solvers.stage_selection.column_choice import Columns, choose
from tests.samples.program_sample import Case
from tests.samples.selection_sample import tiny


def record(stop: Stop | None = None) -> Record:  # type: ignore[type-arg]
    return Record(tiny(0, "heterogeneous", "throughput", "mean"), stop or Stop())


def columns(seed: int, pipelines: int) -> Columns:
    rng = np.random.default_rng(seed)
    found = Columns(pipelines)
    for w in range(pipelines):
        case = Case("bottleneck", 10 * seed + w)
        program = case.program()
        for _ in range(int(rng.integers(1, 7))):
            found.add(w, program, np.array(case.choices[int(rng.integers(len(case.choices)))]))
    return found


def costs(found: Columns, name: str, picked: tuple[int, ...]) -> int:
    return sum(int(getattr(found, name)[w][i]) for w, i in enumerate(picked))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**5), st.integers(1, 3), st.floats(0, 1.2), st.floats(0, 1.2), st.booleans())
def test_the_best_combination_is_picked(seed: int, pipelines: int, area: float, tdp: float, work: bool) -> None:
    found = columns(seed, pipelines)
    every = list(product(*(range(len(own)) for own in found.steps)))
    limits = {
        name: int(share * max(costs(found, name, picked) for picked in every))
        for name, share in (("area", area), ("tdp", tdp))
    }
    fitting = [p for p in every if all(costs(found, name, p) <= limit for name, limit in limits.items())]
    picked = choose(found, limits, record(Stop(work=9) if work else Stop()))
    assert (picked is None) == (not fitting)
    if picked is not None:
        assert tuple(picked) in fitting
        least = min(costs(found, "steps", p) for p in fitting)
        assert costs(found, "steps", tuple(picked)) <= least * (1 + 1e-3)


def test_a_choice_is_kept_once_with_its_costs() -> None:
    case = Case("slot", 4)
    program = case.program()
    found = Columns(1)
    for _ in range(3):
        for choice in case.choices:
            found.add(0, program, np.array(choice))
    own = case.stages[0]
    assert found.options[0] == [(int(own.option[r]),) for (r,) in case.choices]
    assert found.steps[0] == own.time.tolist()
    assert (found.area[0], found.tdp[0]) == (own.area.tolist(), own.tdp.tolist())


@pytest.mark.parametrize("pipelines", [1, 2])
def test_without_limits_every_pipeline_takes_its_fastest(pipelines: int) -> None:
    for seed in range(10):
        found = columns(seed, pipelines)
        picked = choose(found, {}, record())
        assert picked is not None
        assert [found.steps[w][i] for w, i in enumerate(picked)] == [min(own) for own in found.steps]
