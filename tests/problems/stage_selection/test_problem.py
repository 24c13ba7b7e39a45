"""Stage selection: the problem, its JSON form, integers, objective, check and explanation."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.problems.stage_selection.greedy import greedy
from accmine.problems.stage_selection.integers import cost_limit, cost_up, integers
from accmine.problems.stage_selection.least_cost import least_cost
from accmine.problems.stage_selection.options import useful_options
from accmine.problems.stage_selection.ticks import FINE_RESOLUTION
from accmine.result import Sense
from accmine.solving import explain, load_problem, rate
from accmine.system import step_time

EXAMPLE: dict[str, Any] = {
    "kind": "stage-selection",
    "pipelines": [
        {
            "name": "two",
            "weight": 1.0,
            "microbatches": 4,
            "schedule": "1f1b",
            "reference_s": 0.5,
            "transfer_s": [0.001],
            "batch": 8,
            "stages": [
                {
                    "name": name,
                    "candidates": [
                        {
                            "design": "small",
                            "forward_s": 0.02,
                            "backward_s": 0.04,
                            "update_s": 0.004,
                            "area_mm2": 100.0,
                            "tdp_w": 60.0,
                        },
                        {
                            "design": "large",
                            "forward_s": 0.011,
                            "backward_s": 0.023,
                            "update_s": 0.002,
                            "area_mm2": 310.5,
                            "tdp_w": 214.0,
                        },
                    ],
                }
                for name in ("s0", "s1")
            ],
        }
    ],
    "limits": {"area_mm2": 411, "tdp_w": 900},
    "mode": "heterogeneous",
    "objective": "throughput",
    "aggregate": "worst",
}


def example(**changes: Any) -> Problem:
    return problems.problem_from_json(copy.deepcopy(EXAMPLE) | changes)


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    """The example with one value replaced, or removed if it is ``...``."""
    data: Any = copy.deepcopy(EXAMPLE)
    place = data
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data  # type: ignore[no-any-return]


def test_json_round_trip() -> None:
    problem = example(objective="throughput-per-tdp", floor=0.25, deployment="concurrent")
    again = problems.problem_from_json(json.loads(json.dumps(problems.problem_to_json(problem))))
    assert again == problem
    assert again != example()


def test_file_form_is_recognised() -> None:
    assert load_problem(json.dumps(EXAMPLE)) == example()


def test_solution_round_trip_by_design_name() -> None:
    problem = example()
    solution = Solution(((1, 0),))
    data = problems.solution_to_json(problem, solution)
    assert data["pipelines"]["two"]["stages"] == {"s0": "large", "s1": "small"}
    assert data["area_mm2"] == 410.5
    step = data["pipelines"]["two"]["step_s"]
    assert data["pipelines"]["two"]["samples_per_s"] == pytest.approx(8 / step)
    assert problems.solution_from_json(problem, json.loads(json.dumps(data))) == solution
    assert rate(problem, data)["valid"]
    with pytest.raises(InputError, match=r"s1: 'lage' is no candidate of this stage; did you mean 'large'"):
        problems.solution_from_json(problem, {"pipelines": {"two": {"stages": {"s0": "large", "s1": "lage"}}}})
    with pytest.raises(InputError, match=r"pipelines\.two\.stages\.s1: missing"):
        problems.solution_from_json(problem, {"pipelines": {"two": {"stages": {"s0": "large"}}}})


def test_objective_is_the_simulated_step_over_the_reference() -> None:
    problem = example()
    expected = step_time("1f1b", [0.011, 0.02], [0.023, 0.04], [0.002, 0.004], [0.001], 4) / 0.5
    assert problems.objective(problem, Solution(((1, 0),))) == pytest.approx(expected, rel=1e-12)
    free = example(objective="bottleneck")
    assert problems.objective(free, Solution(((1, 0),))) == pytest.approx(4 * 0.06 / 0.5, rel=1e-12)
    per_tdp = example(objective="throughput-per-tdp", floor=0)
    assert problems.objective(per_tdp, Solution(((1, 0),))) == pytest.approx(1 / expected / 274, rel=1e-12)
    assert problems.sense(per_tdp) is Sense.MAXIMIZE
    assert problems.sense(problem) is Sense.MINIMIZE


def test_bottleneck_counts_a_slow_link() -> None:
    data = changed(["pipelines", 0, "transfer_s"], [[0.1, 0.2]])
    problem = problems.problem_from_json(data | {"objective": "bottleneck"})
    assert problems.objective(problem, Solution(((0, 0),))) == pytest.approx(4 * 0.2 / 0.5)


def test_aggregates_over_pipelines() -> None:
    one = EXAMPLE["pipelines"][0]
    pair = [one | {"name": "a", "weight": 1.0}, one | {"name": "b", "weight": 3.0, "reference_s": 1.0}]
    alone = problems.objective(example(), Solution(((0, 1),)))
    both = Solution(((0, 1), (0, 1)))
    mean = example(pipelines=pair, aggregate="mean", limits={})
    assert problems.objective(mean, both) == pytest.approx(alone * (1 * 1 + 3 * 0.5) / 4, rel=1e-6)
    worst = example(pipelines=[p | {"weight": 1.0} for p in pair], limits={})
    assert problems.objective(worst, both) == pytest.approx(alone, rel=1e-6)


def test_check_names_what_is_violated() -> None:
    problem = example()
    assert problems.check(problem, Solution(((1, 0),))) == ()
    (area,) = problems.check(problem, Solution(((1, 1),)))
    assert area == "limits.area_mm2: 621 mm² in use, 411 allowed"
    assert "one per stage" in problems.check(problem, Solution(((1,),)))[0]
    assert "no candidate 7" in problems.check(problem, Solution(((7, 0),)))[0]
    same = example(mode="homogeneous")
    assert problems.check(same, Solution(((0, 0),))) == ()
    assert "one design on all stages" in problems.check(same, Solution(((1, 0),)))[0]
    floor = example(objective="throughput-per-tdp", floor=3.0, limits={})
    assert problems.check(floor, Solution(((1, 1),)))[0].startswith("floor: relative throughput 2.")


def test_common_design_and_deployment() -> None:
    one = EXAMPLE["pipelines"][0]
    short = one | {"name": "b", "stages": one["stages"][:1], "transfer_s": 0.0}
    shared = example(mode="common", pipelines=[one, short], limits={"area_mm2": 200})
    assert shared.time_shared
    choice = Solution(((0, 0), (0,)))
    assert problems.check(shared, choice) == ()  # two devices, counted once
    assert problems.totals(shared, choice) == (200.0, 120.0)
    concurrent = replace(shared, deployment="concurrent")
    assert problems.totals(concurrent, choice) == (300.0, 180.0)
    assert "limits.area_mm2: 300" in problems.check(concurrent, choice)[0]
    assert "one design in all pipelines" in problems.check(shared, Solution(((0, 0), (1,))))[0]
    with pytest.raises(InputError, match="mode: common is needed"):
        example(mode="homogeneous", deployment="time-shared", pipelines=[one, short])


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["mode"], "mixed", "allowed: heterogeneous, homogeneous, common"),
        (["objective"], "speed", "allowed: throughput, bottleneck, throughput-per-tdp"),
        (["aggregate"], "sum", "allowed: worst, mean"),
        (["kind"], "operator-schedule", "stage-selection is needed"),
        (["limit"], {}, "unknown key; did you mean 'limits'"),
        (["limits", "power"], 3, "limits.power: unknown key"),
        (["limits", "area_mm2"], -1, "at least 0"),
        (["limits", "area_mm2"], "400", "a number is needed"),
        (["floor"], 1.0, "belongs to throughput-per-tdp"),
        (["pipelines"], [], "at least one pipeline"),
        (["pipelines", 0, "microbatches"], 0, r"pipelines\[0\]\.microbatches: 0 is not allowed"),
        (["pipelines", 0, "microbatches"], 2.5, "an integer of at least 1"),
        (["pipelines", 0, "microbatches"], ..., "microbatches: missing"),
        (["pipelines", 0, "schedule"], "zb", "allowed: gpipe, 1f1b"),
        (["pipelines", 0, "weight"], 0, "above 0"),
        (["pipelines", 0, "reference_s"], 0, "above 0"),
        (["pipelines", 0, "transfer_s"], [0.1, 0.1], "2 transfer times for 2 stages"),
        (["pipelines", 0, "transfer_s"], [[0.1, 0.1, 0.1]], r"\[forward, backward\]"),
        (["pipelines", 0, "stages"], [], "at least one stage"),
        (["pipelines", 0, "stages", 1, "name"], "s0", "names of stages must differ"),
        (["pipelines", 0, "stages", 1, "candidates"], [], "at least one candidate"),
        (["pipelines", 0, "stages", 1, "candidates", 0, "design"], "large", "must differ"),
        (["pipelines", 0, "stages", 1, "candidates", 0, "forward_s"], -1, "forward_s: -1 is not allowed"),
        (["pipelines", 0, "stages", 1, "candidates", 0, "tdp_w"], ..., "tdp_w: missing"),
        (["pipelines", 0, "stages", 1, "candidates", 0, "area_mm2"], 99, "another area or TDP"),
    ],
)
def test_bad_problems_are_refused(path: list[Any], value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        problems.problem_from_json(changed(path, value))


def test_several_complaints_at_once() -> None:
    data = changed(["mode"], "x") | {"objective": "y"}
    with pytest.raises(InputError) as error:
        problems.problem_from_json(data, "file.json")
    assert [c.field for c in error.value.complaints] == ["mode", "objective"]
    assert all(c.where == "file.json" for c in error.value.complaints)


def test_options_that_contradict_each_other() -> None:
    one = EXAMPLE["pipelines"][0]
    with pytest.raises(InputError, match="no weights"):
        example(pipelines=[one, one | {"name": "b", "weight": 2.0}])
    bare = {k: v for k, v in one.items() if k != "reference_s"}
    assert problems.objective(example(pipelines=[bare]), Solution(((0, 0),))) > 0
    with pytest.raises(InputError, match="several pipelines"):
        example(pipelines=[one, bare | {"name": "b"}])
    with pytest.raises(InputError, match="needed by the throughput floor"):
        example(pipelines=[bare], objective="throughput-per-tdp")
    assert example(pipelines=[bare], objective="throughput-per-tdp", floor=0).least_throughput == 0


def test_short_decimals_are_exact_and_long_ones_rounded_up() -> None:
    numbers = integers(example())
    assert numbers.ticks / Fraction(1, 2) == 1000  # ticks per relative unit, reference 0.5 s: ms are exact
    assert numbers.pipelines[0].forward == ((20, 11), (20, 11))
    rough = integers(problems.problem_from_json(changed(["pipelines", 0, "reference_s"], 0.7)))
    assert rough.ticks == 1000 * Fraction(7, 10)
    third = changed(["pipelines", 0, "stages", 0, "candidates", 0, "forward_s"], 1 / 30)
    problem = problems.problem_from_json(third)
    numbers = integers(problem)
    ticks_per_s = numbers.ticks * 2
    assert numbers.pipelines[0].forward[0][0] - 1 < Fraction(1 / 30) * ticks_per_s <= numbers.pipelines[0].forward[0][0]
    assert FINE_RESOLUTION < numbers.steps(((0, 0),)) < FINE_RESOLUTION * 4 * (4 + 2) * 10
    assert numbers.rounding == 4 * (4 + 2)
    assert integers(example()).rounding == 0


def test_costs_up_limits_down_but_equal_sums_fit() -> None:
    assert cost_up(1.0000000001) == 10**9 + 1
    assert cost_limit(0.9999999989) == 10**9 - 1
    area = 611.2345678912345
    one = replace(EXAMPLE_CANDIDATE, area_mm2=area)
    stages = tuple(Stage(f"s{i}", (one,)) for i in range(4))
    pipeline = Pipeline("p", stages, 2, transfer_s=((0.0, 0.0),) * 3)
    assert problems.check(Problem((pipeline,), Limits(area * 4)), Solution(((0,) * 4,))) == ()
    assert problems.check(Problem((pipeline,), Limits(area * 4 * (1 - 1e-8))), Solution(((0,) * 4,))) != ()


EXAMPLE_CANDIDATE = Candidate("d", 0.1, 0.2, 0.05, 100.0, 50.0)


def test_reference_design_meets_its_own_floor() -> None:
    candidate = Candidate("d", 0.1 / 3, 0.2 / 3, 0.1 / 7, 100.0, 50.0)
    stages = (Stage("a", (candidate,)), Stage("b", (candidate,)))
    step = step_time("gpipe", [0.1 / 3] * 2, [0.2 / 3] * 2, [0.1 / 7] * 2, [(0.001, 0.001)], 7)
    pipeline = Pipeline("p", stages, 7, "gpipe", ((0.001, 0.001),), reference_s=step)
    problem = Problem((pipeline,), objective="throughput-per-tdp")
    assert problems.check(problem, Solution(((0, 0),))) == ()
    slower = Problem((replace(pipeline, reference_s=step * 0.9999),), objective="throughput-per-tdp")
    assert "floor" in problems.check(slower, Solution(((0, 0),)))[0]


@settings(max_examples=60, deadline=None)
@given(
    f=st.lists(st.floats(1e-4, 10), min_size=3, max_size=3),
    u=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    c=st.floats(0, 0.1),
    m=st.integers(1, 40),
    schedule=st.sampled_from(["gpipe", "1f1b"]),
)
def test_integer_objective_is_above_the_real_one_and_near(
    f: list[float], u: list[float], c: float, m: int, schedule: str
) -> None:
    stages = tuple(
        Stage(f"s{i}", (Candidate("d", x, 2 * x, y, 1.0, 1.0),)) for i, (x, y) in enumerate(zip(f, u, strict=True))
    )
    problem = Problem((Pipeline("p", stages, m, schedule, ((c, c),) * 2),))
    solution = Solution(((0, 0, 0),))
    real = problems.step_seconds(problem, solution)[0]
    value = problems.objective(problem, solution)
    assert real * (1 - 1e-12) <= value <= real * (1 + 1e-8)
    low, _ = problems.bound(problem)
    assert low is not None
    assert problems.shown_bound(problem, low) <= real * (1 + 1e-12)


def test_useful_options_and_bound_without_a_choice() -> None:
    tight = example(limits={"area_mm2": 150})
    assert useful_options(integers(tight)) == [[], []]
    assert problems.bound(tight)[0] is None
    assert greedy(tight) is None
    split = changed(
        ["pipelines", 0, "stages", 1, "candidates"], [EXAMPLE["pipelines"][0]["stages"][1]["candidates"][0]]
    )
    split["pipelines"][0]["stages"][0]["candidates"] = [EXAMPLE["pipelines"][0]["stages"][0]["candidates"][1]]
    apart = problems.problem_from_json(split | {"mode": "homogeneous"})
    assert greedy(apart) is None
    conflict, remedy = explain(apart)
    assert conflict == ("mode",)
    assert "no design is a candidate of every stage" in remedy[0]


def test_explain_names_the_limit_and_the_least_value() -> None:
    conflict, remedy = explain(example(limits={"area_mm2": 150, "tdp_w": 900}))
    assert conflict == ("limits.area_mm2",)
    assert remedy == ("limits.area_mm2: 200 mm² is the least that works while limits.tdp_w stays",)
    assert explain(example()) == ((), ())
    assert explain(example(limits={"area_mm2": 150, "tdp_w": 1}))[0] == ("limits.area_mm2", "limits.tdp_w")


def test_explain_limits_that_conflict_only_together() -> None:
    data = copy.deepcopy(EXAMPLE)
    for stage in data["pipelines"][0]["stages"]:
        stage["candidates"][1] |= {"tdp_w": 20.0}  # large is frugal now
    data["limits"] = {"area_mm2": 300, "tdp_w": 100}
    problem = problems.problem_from_json(data)
    conflict, remedy = explain(problem)
    assert conflict == ("limits.area_mm2", "limits.tdp_w")
    assert remedy[0] == "limits.area_mm2: 410.5 mm² is the least that works while limits.tdp_w stays"
    assert remedy[1] == "limits.tdp_w: 120 W is the least that works while limits.area_mm2 stays"
    for change in ({"area_mm2": 410.5}, {"tdp_w": 120}):
        assert explain(replace(problem, limits=Limits(**(data["limits"] | change)))) == ((), ())


def test_explain_floor() -> None:
    problem = example(objective="throughput-per-tdp", floor=3.0)
    conflict, remedy = explain(problem)
    assert conflict == ("floor",), "even without limits it is out of reach"
    most = float(remedy[0].split()[1])
    assert "is the most that works" in remedy[0]
    assert explain(replace(problem, floor=most)) == ((), ())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4), min_size=1, max_size=4),
    st.integers(4, 30),
)
def test_least_cost_equals_enumeration(rows: list[list[tuple[int, int]]], limit: int) -> None:
    from itertools import product

    stages = tuple(
        Stage(f"s{i}", tuple(Candidate(f"d{i}.{j}", 1.0, 1.0, 0.0, a, t) for j, (a, t) in enumerate(row)))
        for i, row in enumerate(rows)
    )
    numbers = integers(Problem((Pipeline("p", stages, 1, transfer_s=((0.0, 0.0),) * (len(rows) - 1)),)))
    sums = [(sum(a for a, _ in pick), sum(t for _, t in pick)) for pick in product(*rows)]
    fitting = [a for a, t in sums if t <= limit]
    area, tdp = ([own.costs[k] for own in numbers.arrays] for k in (0, 1))
    least = least_cost(area, tdp, limit * 10**9)
    assert least is None or least.exact
    assert (least and least.works) == (min(fitting) * 10**9 if fitting else None)
