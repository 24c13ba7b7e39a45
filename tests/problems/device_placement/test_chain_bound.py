"""The least chain bound over all cuts, against cuts one by one, and against simulated steps."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.problems.device_placement.chain_bound import Rows, best_plan, chain_fronts, least_chain
from accmine.system import SCHEDULES, step_time

PLAIN = ("gpipe", "1f1b", "zb-h1", "zb-h2")


def draw(rng: np.random.Generator, layers: int, cases: int = 1) -> dict[str, Any]:
    shape = (layers, cases)
    backward = rng.integers(1, 40, shape)
    return {
        "forward": rng.integers(1, 20, shape),
        "backward": backward,
        "update": rng.integers(0, 60, shape),
        "there": rng.integers(0, 9, shape),
        "back": rng.integers(0, 9, shape),
        "weight": rng.integers(0, backward + 1),
    }


def sums(values: Any, edges: tuple[int, ...]) -> list[Any]:
    return [values[i:j].sum(axis=0) for i, j in itertools.pairwise(edges)]


def all_cuts(layers: int, stages: int) -> list[tuple[int, ...]]:
    return [(0, *cut, layers) for cut in itertools.combinations(range(1, layers), stages - 1)]


@pytest.mark.parametrize("schedule", PLAIN)
def test_it_is_the_least_bound_of_all_cuts(schedule: str) -> None:
    rng = np.random.default_rng(1)
    own = SCHEDULES[schedule]
    for _ in range(60):
        layers = int(rng.integers(1, 8))
        stages, m = int(rng.integers(1, layers + 1)), int(rng.integers(1, 9))
        case = {name: values[:, 0] for name, values in draw(rng, layers).items()}
        bounds = {}
        for edges in all_cuts(layers, stages):
            phases = tuple([int(v) for v in sums(case[name], edges)] for name in ("forward", "backward", "update"))
            sends = tuple([int(case[name][i]) for i in edges[1:-1]] for name in ("there", "back"))
            weight = [int(v) for v in sums(case["weight"], edges)]
            bounds[edges[:-1]] = own.bound(phases, sends, m, max, weight=weight)  # type: ignore[arg-type]
        least, cut = least_chain(**case, stages=stages, microbatches=m, schedule=schedule)
        assert least == min(bounds.values())
        assert cut is not None
        assert bounds[cut] == least


def test_floats_and_integers_agree() -> None:
    case = {name: values[:, 0] for name, values in draw(np.random.default_rng(2), 9).items()}
    whole, cut = least_chain(**case, stages=4, microbatches=5)
    parts, same = least_chain(**{n: v.astype(float) for n, v in case.items()}, stages=4, microbatches=5)
    assert (whole, cut) == (parts, same)
    assert isinstance(whole, int)


def test_memory_by_position_from_the_end() -> None:
    ones = np.ones(4, dtype=np.int64)
    near, far = [3, 4, 4, 4], [1, 2, 3, 4]  # the last stage holds three layers, the one before it a single one
    bound, cut = least_chain(ones, ones, 0 * ones, stages=2, microbatches=4, reach=np.array([near, far]))
    assert cut == (0, 1)
    assert bound == 1 + 4 * 6 + 1
    none = np.array([near, [0, 0, 0, 0]])
    assert least_chain(ones, ones, ones, stages=2, microbatches=4, reach=none) == (np.inf, None)
    assert least_chain(ones, ones, ones, stages=5, microbatches=4) == (np.inf, None)


def test_split_schedules_need_the_weights() -> None:
    with pytest.raises(InputError, match="weight is needed"):
        least_chain([1], [1], [1], stages=1, microbatches=1, schedule="zb-h1")


def test_devices_are_a_budget() -> None:
    fast = Rows(np.array([1, 1]), np.array([1, 1]), np.array([0, 0]), width=3)
    slow = Rows(np.array([4, 4]), np.array([4, 4]), np.array([0, 0]), width=1)
    steps = {}
    for budget in (1, 2, 4, 6):
        found = best_plan(chain_fronts([slow, fast], 2, 3, budget=budget), 2)
        steps[budget] = None if found is None else (int(found[0]), found[2])
    assert steps == {1: None, 2: (32, (0, 0)), 4: (24, (0, 1)), 6: (8, (1, 1))}


def _never_above(cases: int) -> int:
    """Cases in which the bound is above the least simulated step; all schedules and shapes together."""
    rng, above = np.random.default_rng(3), 0
    shapes = [(s, n, p, m) for s in PLAIN for n, p, m in ((4, 2, 3), (5, 3, 4), (6, 4, 2), (4, 4, 6), (5, 2, 1))]
    for schedule, layers, stages, m in shapes:
        case = draw(rng, layers, -(-cases // len(shapes)))
        steps = []
        for edges in all_cuts(layers, stages):
            phases = [sums(case[name], edges) for name in ("forward", "backward", "update", "weight")]
            sent = [(case["there"][i], case["back"][i]) for i in edges[1:-1]]
            split = phases[3] if SCHEDULES[schedule].split_backward else None
            steps.append(step_time(schedule, phases[0], phases[1], phases[2], sent, m, weight_s=split))
        best = np.min(steps, axis=0)
        for i, step in enumerate(best.tolist()):
            one = {name: values[:, i] for name, values in case.items()}
            above += least_chain(**one, stages=stages, microbatches=m, schedule=schedule)[0] > step
    return above


def test_the_bound_is_never_above_a_simulated_optimum() -> None:
    assert _never_above(600) == 0


@pytest.mark.full
def test_the_bound_is_never_above_ten_thousand_simulated_optima() -> None:
    assert _never_above(10_000) == 0
