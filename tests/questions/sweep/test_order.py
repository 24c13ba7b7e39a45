"""The order in which points are run, and what of them can be compared."""

from __future__ import annotations

from itertools import combinations
from math import inf
from pathlib import Path

from accmine.questions.sweep.order import Points
from tests.samples.sweep_sample import loaded


def test_the_loosest_point_comes_first_then_tight_ones_before_loose_ones(tmp_path: Path) -> None:
    grid = {
        "limits.area": ["450 mm^2", "baseline", "413 mm^2", "5 cm^2"],
        "objective": ["throughput", "bottleneck"],
        "limits.tdp": ["80 W", "0.073 kW"],
    }
    points = Points(loaded(tmp_path, {"grid": grid}))
    numbers = list(points.numbers())
    assert sorted(numbers) == list(range(16))
    asked = [points.asked(number) for number in numbers]
    for half in (asked[:8], asked[8:]):
        assert len({point.like for point in half}) == 1, "one objective after the other"
        assert half[0].limits == {"limits.area": 500.0, "limits.tdp": 80.0, "device_limits.area": 858.0}
        for first, later in combinations(half[1:], 2):
            pairs = [(first.limits.get(key, inf), later.limits[key]) for key in later.limits]
            assert not all(a >= b for a, b in pairs), "a looser point before a tighter one"
    assert asked[0].graphs == asked[8].graphs
    assert asked[0].like != asked[8].like


def test_what_changes_the_question_is_not_compared(tmp_path: Path) -> None:
    keys = {
        "budget.seed": (1, 2),
        "search.top_k": (3, 4),
        "device_limits.tdp": ("80 W", "90 W"),
        "workloads.0.batch": (8, 16),
        "aggregate": ("worst", "mean"),
        "operator_split": ("even", "none"),
    }
    found = {}
    for key, values in keys.items():
        points = Points(loaded(tmp_path, {"grid": {key: list(values)}}))
        a, b = points.asked(0), points.asked(1)
        found[key] = (a.like == b.like, a.graphs == b.graphs)
    assert found == {
        "budget.seed": (True, True),
        "search.top_k": (True, True),
        "device_limits.tdp": (True, True),
        "workloads.0.batch": (False, False),
        "aggregate": (False, True),
        "operator_split": (False, False),
    }


def test_a_front_and_a_regret_are_compared_with_nothing(tmp_path: Path) -> None:
    """A front has no value, and a regret is relative to the best that the limits allow."""
    front = {"grid": {"objective": ["throughput", {"pareto": ["throughput", "tdp"]}]}}
    points = Points(loaded(tmp_path, front))
    assert points.asked(0).like
    assert points.asked(1).like == ""
    regret = {"grid": {"aggregate": ["worst", "regret"]}}
    points = Points(loaded(tmp_path, regret, models=("mlp", "gpt")))
    assert points.asked(0).like
    assert points.asked(1).like == ""
