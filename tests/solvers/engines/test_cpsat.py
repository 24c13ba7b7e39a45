"""CP-SAT on operator schedules: exact on small problems, honest on all."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from accmine.errors import AccmineError, InputError
from accmine.models.operator_schedule_cpsat import OperatorScheduleCpSat
from accmine.ports import BaseModel, Model, Solver, Stop
from accmine.problems import operator_schedule
from accmine.problems.operator_schedule import (
    MAX_TIME,
    Problem,
    Solution,
    bound,
    check,
    lower_bound,
    objective,
    problem_from_json,
    problem_to_json,
)
from accmine.record import Record
from accmine.registry import make_model, make_solver
from accmine.result import Result, Status, StopReason
from accmine.solvers.engines import cpsat
from accmine.solvers.engines.cpsat import CpSat
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solving import load_problem
from accmine.solving import solve as solve_with

SMALL = Path(__file__).parents[2] / "data" / "whole_chip_schedule.json"


def solve(problem: Problem, solver: str | Solver = "cp-sat", **options: Any) -> Result[Any]:
    return solve_with(problem, solver, **options)


def make(seed: int, n: int, longest: int = 6) -> Problem:
    rng = random.Random(seed)
    capacity = {"t": rng.randint(1, 3), "hbm": rng.randint(4, 9)}
    operations = []
    for i in range(n):
        modes = [
            {"duration": rng.randint(0, longest), "uses": {r: rng.randint(0, c) for r, c in capacity.items()}}
            for _ in range(rng.randint(1, 2))
        ]
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 1)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    return problem_from_json({"resources": capacity, "operations": operations})


def brute_force(problem: Problem) -> int:
    """Optimum by all modes and all orders; each operation as early as it fits, on a grid of time units."""
    n = len(problem)
    before: list[list[int]] = [[a for a, b in problem.edges.tolist() if b == i] for i in range(n)]
    sets = [problem.mode_sets[g] for g in problem.mode_set]
    best = sum(int(s.duration.max()) for s in sets)
    orders = [
        p for p in itertools.permutations(range(n)) if all(p.index(a) < p.index(b) for a, b in problem.edges.tolist())
    ]
    for choice in itertools.product(*(range(len(s.duration)) for s in sets)):
        length = [int(s.duration[m]) for s, m in zip(sets, choice, strict=True)]
        use = [s.uses[m] for s, m in zip(sets, choice, strict=True)]
        for line in orders:
            held = np.zeros((sum(length) + 1, len(problem.resources)), dtype=np.int64)
            end = [0] * n
            for i in line:
                t = max((end[a] for a in before[i]), default=0)
                while (held[t : t + length[i]] + use[i] > problem.capacity).any():
                    t += 1
                held[t : t + length[i]] += use[i]
                end[i] = t + length[i]
            best = min(best, max(end, default=0))
    return best


def test_model_and_solver_are_registered() -> None:
    model, solver = make_model("operator-schedule", "cp-sat"), make_solver("operator-schedule", "cp-sat")
    assert isinstance(model, Model)
    assert isinstance(solver, Solver)
    assert (model.engine, solver.name) == ("cp-sat", "cp-sat")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_equals_brute_force(seed: int, n: int) -> None:
    problem = make(seed, n)
    result = solve(problem, "cp-sat")
    assert (result.status, result.stop, result.verified) == (Status.OPTIMAL, StopReason.PROVED, True)
    assert result.objective == result.bound == brute_force(problem)
    assert lower_bound(problem)[0] <= bound(problem)[0] <= brute_force(problem)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(seed: int, rng: random.Random) -> None:
    obj = problem_to_json(make(seed, 9, 20))
    best = solve(problem_from_json(obj)).objective
    other = {o["name"]: f"x{k}" for k, o in enumerate(rng.sample(obj["operations"], len(obj["operations"])))}
    for o in obj["operations"]:
        o["name"], o["after"] = other[o["name"]], [other[a] for a in o["after"]]
    rng.shuffle(obj["operations"])
    obj["resources"] = dict(reversed(obj["resources"].items()))
    assert solve(problem_from_json(obj)).objective == best


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["t", "hbm"]))
def test_more_of_a_resource_is_never_worse(seed: int, which: str) -> None:
    obj = problem_to_json(make(seed, 8, 20))
    best = solve(problem_from_json(obj)).objective
    obj["resources"][which] += 1
    more = solve(problem_from_json(obj)).objective
    assert best is not None
    assert more is not None
    assert more <= best


@given(st.integers(0, 10**6), st.integers(0, 12))
@settings(max_examples=30, deadline=None)
def test_the_hint_is_complete_and_feasible(seed: int, n: int) -> None:
    problem = make(seed, n)
    model = OperatorScheduleCpSat()
    built = model.build(problem)
    start = quick(problem)
    model.hint(start)
    assert built.validate() == ""
    hints = dict(zip(built.proto.solution_hint.vars, built.proto.solution_hint.values, strict=True))
    assert sorted(hints) == list(range(len(built.proto.variables)))
    for index, value in hints.items():
        domain = list(built.proto.variables[index].domain)
        assert domain[0] <= value <= domain[-1]
    solver = cp_model.CpSolver()
    solver.parameters.fix_variables_to_their_hinted_value = True
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False  # else it leaves SIGINT to its default, which kills pytest
    assert solver.solve(built) == cp_model.OPTIMAL
    found = model.read(solver.value)
    assert check(problem, found) == ()
    assert objective(problem, found) <= objective(problem, start)
    assert model.floor_score == bound(problem)[0] >= lower_bound(problem)[0]
    assert model.upper <= objective(problem, start)


def test_the_smallest_problems() -> None:
    assert solve(problem_from_json({"operations": []})).objective == 0
    one = problem_from_json({"resources": {"t": 1}, "operations": [{"name": "a", "duration": 7, "uses": {"t": 1}}]})
    assert solve(one).objective == 7


def mixed(long: int) -> Problem:
    """Two long operations that exclude each other, with some of no length, and a resource nobody needs."""
    uses = {"t": 2, "hbm": 700}
    return problem_from_json(
        {
            "resources": {"t": 3, "hbm": 1000, "unused": 0},
            "operations": [
                {"name": "zero", "duration": 0, "uses": uses},
                {"name": "a", "modes": [{"duration": long, "uses": uses}, {"duration": long + 1}], "after": ["zero"]},
                {"name": "b", "duration": long, "uses": uses, "after": ["zero"]},
                {"name": "c", "duration": 0, "uses": uses, "after": ["a"]},
                {"name": "d", "duration": long - 1, "uses": uses, "after": ["c"]},
            ],
        }
    )


def test_durations_from_nothing_to_a_trillion() -> None:
    result = solve(mixed(10**12))
    assert result.status is Status.OPTIMAL
    assert result.objective == 2 * 10**12 + 0  # a beside b in its second mode, then d


def test_capacity_over_time_beyond_64_bits_is_refused() -> None:
    problem = problem_from_json(
        {
            "resources": {"hbm": MAX_TIME},
            "operations": [{"name": n, "duration": 10, "uses": {"hbm": MAX_TIME // 2 + k}} for k, n in enumerate("abc")]
            + [{"name": "d", "duration": 10, "uses": {"hbm": 1}}],
        }
    )
    with pytest.raises(InputError, match=r"resource hbm: capacity .* leaves 64-bit integers"):
        solve(problem)
    assert solve(problem, "critical-path").objective in (20, 30)


def medium() -> Problem:
    return make(4, 60, 1000)


def test_no_time_still_gives_a_solution_and_a_bound() -> None:
    problem = medium()
    result = solve(problem, stop=Stop(seconds=0))
    assert result.solution is not None
    assert result.bound is not None
    assert lower_bound(problem)[0] <= result.bound <= objective(problem, result.solution)
    assert result.stop in (StopReason.TIME, StopReason.PROVED)
    hint = quick(problem, ["efficient"])
    hinted = solve(problem, stop=Stop(seconds=0), hint=hint)
    assert hinted.objective == objective(problem, hint)
    assert hinted.solution is hint


def test_one_worker_and_a_work_limit_repeat() -> None:
    problem = make(8, 40, 1000)
    runs = [solve(problem, stop=Stop(work=0.1), seed=5) for _ in range(2)]
    first, second = runs
    assert (first.objective, first.bound, first.stop) == (second.objective, second.bound, second.stop)
    assert first.solution is not None
    assert second.solution is not None
    assert (first.solution.start == second.solution.start).all()
    assert [row[1:] for row in first.trace] == [row[1:] for row in second.trace]


def test_the_trace_is_monotone_and_ends_at_the_result() -> None:
    problem = make(8, 30, 1000)
    rows: list[Any] = []
    result = solve(problem, stop=Stop(seconds=1), on_progress=lambda *row: rows.append(row))
    assert list(result.trace) == rows
    values = [row[1] for row in rows if row[1] is not None]
    bounds = [row[2] for row in rows if row[2] is not None]
    assert values == sorted(values, reverse=True)
    assert bounds == sorted(bounds)
    assert (values[-1], bounds[-1]) == (result.objective, result.bound)
    assert result.objective is not None
    assert result.bound is not None
    assert result.bound <= result.objective


def test_a_gap_is_enough_when_asked() -> None:
    problem = medium()
    result = solve(problem, stop=Stop(gap=0.9, seconds=20))
    assert result.gap is not None
    assert result.gap <= 0.9
    assert result.stop in (StopReason.GAP, StopReason.PROVED)


def test_a_wrong_hint_is_refused() -> None:
    problem = make(3, 6)
    hint = quick(problem)
    with pytest.raises(InputError, match="the hint is not a solution"):
        solve(problem, hint=Solution(hint.start - 1, hint.mode))


def test_ctrl_c_keeps_the_best_and_its_bound() -> None:
    timers = [threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))]

    def press(seconds: float, value: Any, bound: Any) -> None:
        if value is not None and timers:  # once there is something to keep
            timers.pop().start()

    result = solve(unprovable(), CpSat(), stop=Stop(seconds=20), on_progress=press)
    assert result.stop is StopReason.INTERRUPTED
    assert result.seconds < 10
    assert result.status is Status.FEASIBLE
    assert result.solution is not None
    assert check(unprovable(), result.solution) == ()
    assert result.bound is not None


def unprovable() -> Problem:
    """Bin packing with all work the same: the bound is met by no schedule and every order looks alike."""
    return problem_from_json(
        {
            "resources": {"t": 7, "hbm": 100},
            "operations": [
                {"name": f"o{i}", "duration": 10**6 + 7919 * i % 65537, "uses": {"t": 2, "hbm": 23 + i * 37 % 31}}
                for i in range(80)
            ],
        }
    )


def test_an_error_of_the_caller_reaches_the_caller() -> None:
    def fail(seconds: float, value: Any, bound: Any) -> None:
        if value is not None and seconds > 0:
            raise ValueError("no room on the disk")

    with pytest.raises(ValueError, match="no room"):
        solve(unprovable(), CpSat(), stop=Stop(seconds=20), on_progress=fail)


def at(start: int, count: int) -> Solution:
    return Solution(np.full(count, start), np.zeros(count, dtype=np.int64))


class Toy(BaseModel):
    """A model without warm start: minimise a bounded number, or the impossible."""

    engine = "cp-sat"

    def build(self, problem: Problem) -> Any:
        self.model = cp_model.CpModel()
        self.count = len(problem)
        self.x = self.model.new_int_var(0, 10, "x")
        self.model.add(self.x >= len(problem))
        self.model.add(2 * self.x >= 9)
        self.model.minimize(3 * (self.x - 7) + 21 - 2 * self.x)
        return self.model

    def hint(self, solution: Solution) -> None:
        self.model.add_hint(self.x, int(solution.start[0]))

    def read(self, value: Any) -> Solution:
        return at(int(value(self.x)), self.count)


def toy(monkeypatch: pytest.MonkeyPatch, operations: int, model: type = Toy) -> Result[Any]:
    """Solve the toy as if it were a schedule of operations that take no time."""
    monkeypatch.setattr(cpsat, "make_model", lambda kind, name: model())
    monkeypatch.setattr(operator_schedule, "bound", lambda problem: (None, ""))
    listed = [{"name": f"a{i}", "duration": 0} for i in range(operations)]
    result: Result[Any] = solve(problem_from_json({"operations": listed}), CpSat(), stop=Stop(seconds=5))
    return result


def test_objectives_may_have_an_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    result = toy(monkeypatch, 1)
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 5, 5)


def test_infeasible_is_said_only_without_a_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    result = toy(monkeypatch, 11)
    assert (result.status, result.stop, result.solution, result.objective) == (
        Status.INFEASIBLE,
        StopReason.PROVED,
        None,
        None,
    )

    class Liar(Toy):
        """Claims that nothing is feasible although the warm start is."""

        def warm_start(self, record: Record[Solution]) -> None:
            record.offer(at(3, 11))

    lied = toy(monkeypatch, 11, Liar)
    assert lied.status is Status.FEASIBLE
    assert lied.solution is not None


def test_broken_models_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Float(Toy):
        def build(self, problem: Problem) -> Any:
            built = super().build(problem)
            built.minimize(0.5 * self.x)
            return built

    class Overflow(Toy):
        def build(self, problem: Problem) -> Any:
            built = super().build(problem)
            y = built.new_int_var(0, 2**62, "y")
            built.add(2**40 * y >= self.x)
            return built

    class Other(Toy):
        engine = "mip"

    with pytest.raises(TypeError, match="integer objective"):
        toy(monkeypatch, 1, Float)
    with pytest.raises(AccmineError, match="CP-SAT refuses the model"):
        toy(monkeypatch, 1, Overflow)
    with pytest.raises(InputError, match="engine 'mip'"):
        toy(monkeypatch, 1, Other)


def test_one_core_or_the_whole_chip() -> None:
    """left and right side by side take 7.5, one after the other on the whole chip 8."""
    problem = load_problem(SMALL)
    result = solve(problem)
    assert result.objective == 24  # (2 + 7.5 + 2.5) / 0.5
    assert result.status is Status.OPTIMAL
    assert brute_force(problem) == 24


def whole_chip(instance: dict[str, Any]) -> dict[str, Any]:
    """An instance of one core each for the latency, or the whole chip for the intra-op latency."""
    cores = {"tensor": instance["num_tc"], "vector": instance["num_vc"]}
    needs = {"TC": ["tensor"], "VC": ["vector"], "TCandVC": ["tensor", "vector"]}
    return {
        "kind": "operator-schedule",
        "resources": cores,
        "time_unit": "0.001",
        "operations": [
            {
                "name": name,
                "modes": [
                    {"duration": node["latency"], "uses": dict.fromkeys(needs[node["core_type"]], 1)},
                    {"duration": node["intra_op_latency"], "uses": cores},
                ],
                "after": [a for a, b in instance["edges"] if b == name],
            }
            for name, node in instance["nodes"].items()
        ],
    }


def published() -> list[dict[str, Any]]:
    """A self-made instance of the published form, and the published ones where they are at hand."""
    own = {
        "num_tc": 2,
        "num_vc": 1,
        "nodes": {
            "in": {"core_type": "VC", "latency": 2, "intra_op_latency": 2.0},
            "left": {"core_type": "TC", "latency": 7.5, "intra_op_latency": 4.0},
            "right": {"core_type": "TC", "latency": 7.5, "intra_op_latency": 4.0},
            "out": {"core_type": "TCandVC", "latency": 5.0, "intra_op_latency": 2.5},
        },
        "edges": [["in", "left"], ["in", "right"], ["left", "out"], ["right", "out"]],
        "makespan": 12.0,
    }
    folder = os.environ.get("ACCMINE_DATA")
    file = Path(folder) / "phaze" / "schedule_instances.json" if folder else None
    return [own, *(json.loads(file.read_text()) if file is not None and file.exists() else [])]


def test_published_whole_chip_schedules() -> None:
    instances = published()
    for instance in instances:
        result = solve(problem_from_json(whole_chip(instance)), stop=Stop(seconds=20))
        assert result.status is Status.OPTIMAL
        assert result.objective == round(1000 * instance["makespan"])
    assert len(instances) >= 1
