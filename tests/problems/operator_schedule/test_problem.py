"""The operator-schedule problem: its JSON form, its check, its bounds."""

from __future__ import annotations

import json
import random
import time
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems import operator_schedule as osp
from accmine.problems.operator_schedule import MAX_TIME, ModeSet, Problem, Solution
from accmine.problems.operator_schedule.precedence import find_cycle, order_of


def example() -> dict[str, Any]:
    return {
        "kind": "operator-schedule",
        "resources": {"tensor": 4, "vector": 2, "hbm": 1000},
        "operations": [
            {"name": "qkv", "duration": 1200, "uses": {"tensor": 1, "hbm": 310}, "after": []},
            {
                "name": "softmax",
                "modes": [{"duration": 90, "uses": {"vector": 1}}, {"duration": 30, "uses": {"vector": 2}}],
                "after": ["qkv"],
            },
            {"name": "mask", "duration": 50, "uses": {"vector": 2, "hbm": 900}},
        ],
    }


def solution(start: list[int], mode: list[int]) -> Solution:
    return Solution(np.array(start, dtype=np.int64), np.array(mode, dtype=np.int64))


@st.composite
def problems(draw: st.DrawFn, operations: int = 12) -> dict[str, Any]:
    n = draw(st.integers(0, operations))
    capacity = {"tensor": draw(st.integers(1, 4)), "hbm": draw(st.integers(5, 20))}
    mode = st.fixed_dictionaries(
        {
            "duration": st.integers(0, 30),
            "uses": st.fixed_dictionaries({r: st.integers(0, c) for r, c in capacity.items()}),
        }
    )
    listed = []
    for i in range(n):
        after = draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else []
        modes = draw(st.lists(mode, min_size=1, max_size=3))
        own = modes[0] if len(modes) == 1 else {"modes": modes}
        listed.append({"name": f"op{i}", **own, "after": [f"op{j}" for j in after]})
    return {"kind": "operator-schedule", "resources": capacity, "operations": listed}


def one_after_the_other(problem: Problem) -> Solution:
    start, now = np.zeros(len(problem), dtype=np.int64), 0
    for i in osp.order(problem).sequence:
        start[i] = now
        now += int(problem.mode_sets[problem.mode_set[i]].duration[0])
    return Solution(start, np.zeros(len(problem), dtype=np.int64))


def test_reads_the_form() -> None:
    problem = osp.problem_from_json(example())
    assert problem.names == ("qkv", "softmax", "mask")
    assert problem.resources == ("tensor", "vector", "hbm")
    assert problem.capacity.tolist() == [4, 2, 1000]
    assert problem.edges.tolist() == [[0, 1]]
    assert problem.mode_sets[1].uses.tolist() == [[0, 1, 0], [0, 2, 0]]
    assert problem.time_unit is None
    assert osp.heads(problem).tolist() == [0, 1200, 0]
    assert osp.tails(problem).tolist() == [30, 0, 0]
    assert osp.lower_bound(problem) == (1230, "critical path of the fastest modes")


def test_equal_operations_share_their_modes() -> None:
    obj = example()
    obj["operations"] = [{"name": f"a{i}", "duration": 3, "uses": {"tensor": 1}} for i in range(50)]
    problem = osp.problem_from_json(obj)
    assert len(problem.mode_sets) == 1
    assert osp.lower_bound(problem) == (38, "work of tensor over its capacity")


@given(problems())
def test_json_round_trip(obj: dict[str, Any]) -> None:
    problem = osp.problem_from_json(obj)
    again = osp.problem_from_json(json.loads(json.dumps(osp.problem_to_json(problem))))
    assert again.names == problem.names
    assert again.resources == problem.resources
    assert sorted(again.edges.tolist()) == sorted(problem.edges.tolist())
    for a, b in zip(again.mode_set, problem.mode_set, strict=True):
        assert again.mode_sets[a].duration.tolist() == problem.mode_sets[b].duration.tolist()
        assert again.mode_sets[a].uses.tolist() == problem.mode_sets[b].uses.tolist()
    serial = one_after_the_other(problem)
    read = osp.solution_from_json(problem, json.loads(json.dumps(osp.solution_to_json(problem, serial))))
    assert read.start.tolist() == serial.start.tolist()
    assert read.mode.tolist() == serial.mode.tolist()


@given(problems())
def test_the_bound_is_below_a_valid_schedule(obj: dict[str, Any]) -> None:
    problem = osp.problem_from_json(obj)
    serial = one_after_the_other(problem)
    assert osp.check(problem, serial) == ()
    assert osp.lower_bound(problem)[0] <= osp.objective(problem, serial)
    backwards = osp.reverse(problem)
    mirrored = osp.reverse_solution(problem, serial)
    assert osp.check(backwards, mirrored) == ()
    assert osp.objective(backwards, mirrored) == osp.objective(problem, serial)
    assert osp.lower_bound(backwards)[0] == osp.lower_bound(problem)[0]


@given(problems(8), st.data())
def test_check_equals_a_clock(obj: dict[str, Any], data: st.DataObject) -> None:
    """The sweep against counting what is held in every single time unit."""
    problem = osp.problem_from_json(obj)
    n = len(problem)
    start = [data.draw(st.integers(0, 40)) for _ in range(n)]
    mode = [data.draw(st.integers(0, len(problem.mode_sets[g].duration) - 1)) for g in problem.mode_set]
    chosen = [
        (problem.mode_sets[g].duration.tolist()[m], problem.mode_sets[g].uses[m])
        for g, m in zip(problem.mode_set, mode, strict=True)
    ]
    valid = all(start[b] >= start[a] + chosen[a][0] for a, b in problem.edges.tolist())
    for t in range(80):
        running = [u for s, (d, u) in zip(start, chosen, strict=True) if s <= t < s + d]
        valid &= bool((np.sum(running, axis=0) <= problem.capacity).all()) if running else True
    assert (osp.check(problem, solution(start, mode)) == ()) == valid


@pytest.mark.parametrize(
    ("start", "mode", "says"),
    [
        ([0, 1199, 1300], [0, 1, 0], "softmax: starts at 1199 before qkv ends at 1200"),
        ([0, 1200, 1210], [0, 1, 0], "at 1210: 4 of vector held, there are 2"),
        ([0, 1200, 100], [0, 1, 0], "at 100: 1210 of hbm held, there are 1000"),
        ([-1, 1200, 1300], [0, 1, 0], "qkv: starts at -1"),
        ([0, 1200, MAX_TIME + 1], [0, 1, 0], "mask: starts at"),
        ([0, 1200, 1300], [0, 2, 0], "softmax: has no mode 2"),
        ([0, 1200, 1300], [0, -1, 0], "softmax: has no mode -1"),
        ([0, 1200], [0, 1, 0], "start has shape (2,), not (3,)"),
    ],
)
def test_check_names_each_violation(start: list[int], mode: list[int], says: str) -> None:
    problem = osp.problem_from_json(example())
    assert osp.check(problem, solution([0, 1200, 1300], [0, 1, 0])) == ()
    found = osp.check(problem, solution(start, mode))
    assert len(found) == 1
    assert says in found[0]


def test_check_refuses_fractions_and_what_never_fits() -> None:
    problem = osp.problem_from_json(example())
    fractional = Solution(np.array([0.5, 1300.0, 2000.0]), np.zeros(3, dtype=np.int64))
    assert "not integers" in osp.check(problem, fractional)[0]
    obj = example()
    obj["operations"][1]["modes"].append({"duration": 1, "uses": {"vector": 3}})
    wide = osp.problem_from_json(obj)
    assert osp.check(wide, solution([0, 1200, 1300], [0, 2, 0])) == ("softmax: holds 3 of vector, there are 2",)
    assert osp.lower_bound(wide)[0] == 1230  # the mode that does not fit is no way to be faster


def test_many_violations_are_counted() -> None:
    obj = {"resources": {"t": 1}, "operations": [{"name": f"a{i}", "duration": 5, "uses": {"t": 1}} for i in range(90)]}
    problem = osp.problem_from_json(obj)
    found = osp.check(problem, solution(list(range(90)), [0] * 90))
    assert len(found) == 21
    assert found[0] == "at 1: 2 of t held, there are 1"
    assert "72 more" in found[-1]


def test_nothing_at_all_is_valid() -> None:
    problem = osp.problem_from_json({"kind": "operator-schedule", "operations": []})
    empty = solution([], [])
    assert osp.check(problem, empty) == ()
    assert osp.objective(problem, empty) == 0
    assert osp.lower_bound(problem) == (0, "no operation")
    assert osp.solution_to_json(problem, empty) == {"start": {}, "mode": {}}
    assert osp.reverse_solution(problem, empty).start.shape == (0,)


def test_zero_durations_hold_nothing() -> None:
    obj = {
        "resources": {"t": 1, "unused": 0},
        "operations": [{"name": f"a{i}", "duration": 0, "uses": {"t": 1}} for i in range(3)]
        + [{"name": "b", "duration": 4, "uses": {"t": 1}}],
    }
    problem = osp.problem_from_json(obj)
    assert osp.check(problem, solution([2, 2, 2, 0], [0, 0, 0, 0])) == ()
    assert osp.lower_bound(problem)[0] == 4


def test_large_numbers_are_exact() -> None:
    n, duration = 20_000, 10**9
    problem = Problem(
        ("t",),
        np.array([1]),
        tuple(f"a{i}" for i in range(n)),
        (ModeSet(np.array([duration]), np.array([[1]])),),
        np.zeros(n, dtype=np.int64),
        np.zeros((0, 2), dtype=np.int64),
    )
    assert osp.lower_bound(problem)[0] == n * duration
    start = np.arange(n, dtype=np.int64) * duration
    mode = np.zeros(n, dtype=np.int64)
    begin = time.perf_counter()
    assert osp.check(problem, Solution(start, mode)) == ()
    start[-1] -= 1
    assert len(osp.check(problem, Solution(start, mode))) == 1
    assert time.perf_counter() - begin < 10.0
    assert osp.objective(problem, Solution(start, mode)) == n * duration - 1


def test_amounts_beyond_int64_are_exact() -> None:
    huge = MAX_TIME
    obj = {
        "resources": {"hbm": huge},
        "operations": [{"name": f"a{i}", "duration": 10**12, "uses": {"hbm": huge - i}} for i in range(4)],
    }
    problem = osp.problem_from_json(obj)
    assert osp.lower_bound(problem)[0] == -(-(10**12) * (4 * huge - 6) // huge)
    together = f"at 0: {4 * huge - 6} of hbm held, there are {huge}"
    assert osp.check(problem, solution([0, 0, 0, 0], [0] * 4)) == (together,)
    assert osp.check(problem, solution([i * 10**12 for i in range(4)], [0] * 4)) == ()


def test_twenty_thousand_operations_load_quickly() -> None:
    random.seed(1)
    obj = {
        "resources": {"tensor": 4, "hbm": 1000},
        "operations": [
            {
                "name": f"op{i}",
                "duration": random.randrange(1, 10**6),
                "uses": {"tensor": 1, "hbm": random.randrange(1000)},
                "after": [f"op{random.randrange(max(0, i - 50), i)}" for _ in range(2)] if i else [],
            }
            for i in range(20_000)
        ],
    }
    begin = time.perf_counter()
    problem = osp.problem_from_json(obj)
    serial = one_after_the_other(problem)
    assert osp.check(problem, serial) == ()
    assert osp.lower_bound(problem)[0] <= osp.objective(problem, serial)
    assert time.perf_counter() - begin < 10.0


def decimals(values: list[Any], unit: Any) -> dict[str, Any]:
    return {
        "resources": {"t": 1},
        "time_unit": unit,
        "operations": [{"name": f"a{i}", "duration": v, "uses": {"t": 1}} for i, v in enumerate(values)],
    }


def test_decimal_durations_are_scaled_exactly() -> None:
    problem = osp.problem_from_json(decimals([0.1, Decimal("0.003"), "1.7", 2], "0.001"))
    assert [int(m.duration[0]) for m in problem.mode_sets] == [100, 3, 1700, 2000]
    assert problem.time_unit == "0.001"
    assert osp.problem_to_json(problem)["operations"][0]["duration"] == 0.1
    assert osp.lower_bound(problem)[0] == 3803
    long = osp.problem_from_json(decimals(["0.123456789012345678"], "1e-18"))
    assert osp.problem_to_json(long)["operations"][0]["duration"] == "0.123456789012345678"
    assert osp.problem_from_json(osp.problem_to_json(long)).mode_sets[0].duration.tolist() == [123456789012345678]


@pytest.mark.parametrize(
    ("values", "unit", "says"),
    [
        ([0.1], None, "decimal duration 0.1 needs a time_unit"),
        ([0.0015], 0.001, "not a whole multiple of the time_unit 0.001"),
        ([1e10], 1e-12, "must be at most"),
        ([1.0], 0, "positive decimal"),
        ([1.0], "fast", "positive decimal"),
        (["1"], None, "needs a number"),
        ([float("nan")], 0.1, "needs a number"),
        (["1e999999999"], 0.1, "needs a number"),
        ([-0.5], 0.5, "must not be negative"),
    ],
)
def test_inexact_decimals_are_refused(values: list[Any], unit: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        osp.problem_from_json(decimals(values, unit))


def test_whole_decimals_need_no_unit() -> None:
    assert osp.lower_bound(osp.problem_from_json(decimals([10.0, Decimal("1e1")], None)))[0] == 20


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"kind": "stage-selection"}, "kind", "not 'operator-schedule'"),
        ({"speed": 3}, "speed", "unknown key; allowed: kind"),
        ({"resources": {"tensor": -1}}, "resources.tensor", "must lie in 0.."),
        ({"resources": {"tensor": 1.5}}, "resources.tensor", "needs an integer"),
        ({"resources": {"tensor": True}}, "resources.tensor", "needs an integer"),
        ({"resources": 4}, "resources", "needs an object"),
        ({"operations": 4}, "operations", "needs a list"),
        ({"operations": [3]}, "operations[0]", "needs an object"),
        ({"operations": [{"duration": 3}]}, "operations[0].name", "needs a name"),
        ({"operations": [{"name": "a"}]}, "operations[0]", "needs a duration, or modes"),
        ({"operations": [{"name": "a", "modes": []}]}, "operations[0].modes", "at least one"),
        ({"operations": [{"name": "a", "modes": [3]}]}, "operations[0].modes[0]", "needs an object"),
        ({"operations": [{"name": "a", "duration": -1}]}, "operations[0].duration", "must not be negative"),
        ({"operations": [{"name": "a", "duration": 2**62 + 1}]}, "operations[0].duration", "must be at most"),
        ({"operations": [{"name": "a", "duration": 1, "colour": 2}]}, "operations[0].colour", "unknown key"),
        ({"operations": [{"name": "a", "duration": 1, "uses": [1]}]}, "operations[0].uses", "needs an object"),
        ({"operations": [{"name": "a", "duration": 1, "uses": {"gpu": 1}}]}, "operations[0].uses.gpu", "known: tensor"),
        ({"operations": [{"name": "a", "duration": 1, "after": "b"}]}, "operations[0].after", "needs a list"),
        ({"operations": [{"name": "a", "duration": 1, "after": ["z"]}]}, "operations[0].after[0]", "unknown operation"),
        ({"operations": [{"name": "a", "duration": 1, "after": ["a"]}]}, "operations[0].after", "a -> a"),
        ({"operations": [{"name": "a", "duration": 1}] * 2}, "operations[1].name", "already the name of operations[0]"),
        (
            {"operations": [{"name": "a", "duration": 1, "modes": [{"duration": 1}]}]},
            "operations[0].duration",
            "stands beside modes",
        ),
        ({"operations": [{"name": n, "duration": 2**61} for n in "abc"]}, "operations", "durations sum to"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        osp.problem_from_json(example() | change, "file.json")
    found = [c for c in caught.value.complaints if c.field == field]
    assert found, caught.value.complaints
    assert says in found[0].message
    assert found[0].where == "file.json"


def test_all_complaints_come_at_once() -> None:
    obj = example()
    obj["operations"][0]["uses"] = {"tensors": 9}
    obj["operations"][1]["after"] = ["nobody"]
    obj["operations"].append({"name": "mask", "duration": -1})
    obj["operations"] += [
        {"name": "x", "duration": 1, "after": ["y"]},
        {"name": "y", "duration": 1, "after": ["x", "qkv"]},
    ]
    with pytest.raises(InputError) as caught:
        osp.problem_from_json(obj)
    text = str(caught.value)
    for part in ("unknown resource", "'nobody'", "already the name", "must not be negative", "y -> x -> y"):
        assert part in text


def test_one_mode_that_fits_is_enough() -> None:
    obj = example()
    obj["resources"]["vector"] = 1
    obj["operations"][2]["uses"] = {"vector": 1}
    problem = osp.problem_from_json(obj)
    assert osp.lower_bound(problem)[0] == 1290


def test_problems_made_in_python_are_refused_too() -> None:
    modes = (ModeSet(np.array([1]), np.array([[2]])),)
    index, edges = np.zeros(2, dtype=np.int64), np.array([[0, 1]])
    wide = Problem(("t",), np.array([1]), ("a", "b"), modes, index, edges)
    with pytest.raises(InputError, match="no mode fits the capacities: a, b"):
        osp.lower_bound(wide)
    ring = Problem(("t",), np.array([2]), ("a", "b"), modes, index, np.array([[0, 1], [1, 0]]))
    with pytest.raises(InputError, match="-> "):
        osp.lower_bound(ring)


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        ([], "needs a solution"),
        ({"start": {}}, "start.qkv: is missing"),
        ({"start": {"qkv": 0, "softmax": 1, "mask": 2}}, "mode.softmax: is missing; softmax has 2 modes"),
        ({"start": {"qkv": 0.5, "softmax": 1, "mask": 2}, "mode": {"softmax": 0}}, "start.qkv: needs an integer"),
        ({"start": {"qkv": 0, "softmax": 1, "mask": 2, "x": 0}, "mode": {"softmax": 0}}, "start.x: unknown operation"),
        ({"start": {"qkv": 0, "softmax": 1, "mask": 2}, "mode": {"softmax": 0}, "cores": 1}, "cores: unknown key"),
    ],
)
def test_bad_solutions_are_named(obj: Any, says: str) -> None:
    with pytest.raises(InputError) as caught:
        osp.solution_from_json(osp.problem_from_json(example()), obj)
    assert says in str(caught.value)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_cycles_are_real(pairs: list[tuple[int, int]]) -> None:
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    order = order_of(8, edges)
    assert order_of(8, edges) is order
    cycle = find_cycle(order)
    assert bool(cycle) != order.acyclic
    for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        assert (a, b) in pairs
    position = {i: k for k, i in enumerate(order.sequence)}
    if order.acyclic:
        assert all(position[a] < position[b] for a, b in pairs)
