"""What nobody plans for: a clear error or a valid result with its bound from every solver, never a wrong "optimal"."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from accmine import solving
from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.operator_schedule import Problem, Solution, bound, check, objective, problem_from_json
from accmine.record import Record
from accmine.registry import SOLVERS, make_solver
from accmine.result import Result, Status, StopReason
from tests.samples.schedule_families import family

NAMES = ("critical-path", "cp-sat", "auto", "cp-sat-windows", "strong-bound")
TRILLION = 10**12


def run(name: str, problem: Problem, **options: Any) -> Result[Solution]:
    """A verified result; also when the solver is interrupted."""
    options.setdefault("stop", Stop(seconds=20))
    result: Result[Solution] = solving.solve(problem, name, **options)
    assert result.solution is not None
    assert check(problem, result.solution) == ()
    assert result.verified
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound <= result.objective == objective(problem, result.solution)
    assert (result.status is Status.OPTIMAL) <= (result.bound == result.objective)
    return result


def schedule(operations: list[dict[str, Any]], **resources: int) -> Problem:
    return problem_from_json({"resources": resources or {"t": 1}, "operations": operations})


def chain(durations: list[int], **uses: int) -> list[dict[str, Any]]:
    return [
        {"name": f"o{i}", "duration": d, "uses": uses, "after": [f"o{i - 1}"] if i else []}
        for i, d in enumerate(durations)
    ]


SMALLEST: dict[str, tuple[Problem, int]] = {
    "nothing": (schedule([]), 0),
    "nothing, no resource": (problem_from_json({"operations": []}), 0),
    "one": (schedule([{"name": "a", "duration": 7, "uses": {"t": 1}}]), 7),
    "one without resources": (problem_from_json({"operations": [{"name": "a", "duration": 7}]}), 7),
    "one of no length": (schedule([{"name": "a", "duration": 0, "uses": {"t": 1}}]), 0),
    "one of a trillion": (schedule([{"name": "a", "duration": TRILLION, "uses": {"t": 1}}]), TRILLION),
    "all of no length": (schedule([{"name": f"o{i}", "duration": 0, "uses": {"t": 1}} for i in range(9)]), 0),
    "no length between lengths": (schedule(chain([0, 3, 0, 0, 4, 0], t=1)), 7),
    "nothing and a trillion": (schedule(chain([0, TRILLION, 0, TRILLION, 1], t=1)), 2 * TRILLION + 1),
    "trillions side by side": (
        schedule([{"name": f"o{i}", "duration": TRILLION + i, "uses": {"t": 1}} for i in range(6)], t=6),
        TRILLION + 5,
    ),
    "trillions one by one": (
        schedule([{"name": f"o{i}", "duration": TRILLION + i, "uses": {"t": 1}} for i in range(4)]),
        4 * TRILLION + 6,
    ),
    "resources nobody uses": (schedule(chain([2, 3], t=1), t=1, idle=0, many=10**15), 5),
    "a mode that never fits": (
        schedule([{"name": "a", "modes": [{"duration": 1, "uses": {"t": 2}}, {"duration": 9, "uses": {"t": 1}}]}]),
        9,
    ),
}


@pytest.mark.parametrize("which", SMALLEST)
@pytest.mark.parametrize("name", NAMES)
def test_extremes_are_solved(name: str, which: str) -> None:
    problem, optimum = SMALLEST[which]
    result = run(name, problem)
    assert result.objective == optimum
    assert (result.status, result.bound) == (Status.OPTIMAL, optimum)


@pytest.mark.parametrize("name", NAMES)
def test_amounts_near_the_largest(name: str) -> None:
    """Two exclude each other by one part in 2**61, and nothing overflows on the way."""
    operations = [{"name": n, "duration": 5, "uses": {"t": 2**61 + 1}} for n in "ab"]
    result = run(name, schedule(operations, t=2**62), stop=Stop(seconds=1))
    assert result.objective == 10
    assert result.bound is not None
    assert result.bound >= 6  # the work over the capacity


@pytest.mark.parametrize("name", NAMES)
def test_mixed_magnitudes(name: str) -> None:
    """Durations of 0, of a few units and of 1e12 in one graph; the sum is exact."""
    operations = [
        {"name": f"o{i}", "duration": d, "uses": {"t": 1}, "after": [f"o{i - 2}"] if i > 1 else []}
        for i, d in enumerate([0, TRILLION, 3, 0, 7, TRILLION - 1, 0, 1])
    ]
    result = run(name, schedule(operations, t=2))
    assert result.objective == 2 * TRILLION  # the odd ones, one after the other
    assert result.status is Status.OPTIMAL


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"operations": [{"name": "a", "duration": 1}, {"name": "a", "duration": 2}]}, "already the name of"),
        (
            {
                "operations": [
                    {"name": "a", "duration": 1, "after": ["b"]},
                    {"name": "b", "duration": 1, "after": ["a"]},
                ]
            },
            "wait for each other",
        ),
        ({"operations": [{"name": "a", "duration": 1, "after": ["a"]}]}, "wait for each other|itself"),
        ({"operations": [{"name": "a", "duration": -1}]}, "must not be negative"),
        ({"operations": [{"name": "a", "duration": 10**19}]}, "at most"),
        ({"operations": [{"name": n, "duration": 4 * 10**18} for n in "ab"]}, "durations sum to"),
        ({"resources": {"t": -1}, "operations": []}, "must lie in"),
        ({"operations": [{"name": "a", "duration": 1, "uses": {"x": 1}}]}, "unknown resource"),
        ({"operations": [{"name": "a", "modes": []}]}, "at least one mode"),
    ],
)
def test_bad_problems_are_refused_with_their_place(text: dict[str, Any], says: str, tmp_path: Any) -> None:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps({"kind": "operator-schedule", **text}))
    with pytest.raises(InputError, match=says) as caught:
        solving.load_problem(file)
    assert str(caught.value).startswith(f"{file}:1:")


def raw(edges: list[tuple[int, int]], capacity: int) -> Problem:
    """A problem that no reader has looked at."""
    like = schedule(chain([2, 3], t=1))
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    sizes = np.array([capacity], dtype=np.int64)
    return Problem(like.resources, sizes, like.names, like.mode_sets, like.mode_set, pairs)


@pytest.mark.parametrize("name", NAMES)
def test_cycles_of_scripts_are_refused_by_solvers(name: str) -> None:
    with pytest.raises(InputError, match=r"wait for each other: (o0 -> o1 -> o0|o1 -> o0 -> o1)"):
        solving.solve(raw([(0, 1), (1, 0)], 1), name)


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_that_needs_more_than_there_is(name: str) -> None:
    """Proven infeasible with what is in conflict; a solver asked by itself refuses it in words."""
    result = solving.solve(raw([(0, 1)], 0), name)
    assert (result.status, result.stop) == (Status.INFEASIBLE, StopReason.PROVED)
    assert (result.solution, result.objective) == (None, None)
    assert result.conflict
    assert result.remedy
    with pytest.raises(InputError, match="no mode fits the capacities: o0, o1"):
        make_solver("operator-schedule", name).search(Record(raw([(0, 1)], 0), Stop(seconds=5)))


def hard() -> Problem:
    """Nearly equal work that does not pack well: no bound is met soon, and every order looks alike."""
    return schedule(
        [
            {"name": f"o{i}", "duration": 10**6 + 7919 * i % 65537, "uses": {"t": 2, "hbm": 23 + i * 37 % 31}}
            for i in range(80)
        ],
        t=7,
        hbm=100,
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_time_is_enough_for_a_schedule_and_a_bound(name: str) -> None:
    problem = hard()
    result = run(name, problem, stop=Stop(seconds=0))
    assert result.seconds < 5
    again = run(name, problem, stop=Stop(seconds=0), hint=result.solution)
    assert again.objective is not None
    assert result.objective is not None
    assert again.objective <= result.objective
    assert run(name, problem, stop=Stop(work=0)).bound is not None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["project", "shared-rate"])
def test_seed_work_and_one_worker_repeat(name: str, which: str) -> None:
    problem = family(which, 7, 24)
    work = 8 if name == "critical-path" else 0.05
    first, again = (run(name, problem, stop=Stop(work=work), seed=3) for _ in range(2))
    assert (first.objective, first.bound, first.status, first.stop) == (
        again.objective,
        again.bound,
        again.status,
        again.stop,
    )
    assert first.solution is not None
    assert again.solution is not None
    assert (first.solution.start == again.solution.start).all()
    assert (first.solution.mode == again.solution.mode).all()
    assert [row[1:] for row in first.trace] == [row[1:] for row in again.trace]


def interrupts(calls: int) -> Iterator[Callable[..., None]]:
    """Callbacks of which the first raises at its first call, the second at its second, and so on."""
    for last in range(1, calls + 1):
        count = 0

        def callback(*_: Any, last: int = last) -> None:
            nonlocal count
            count += 1
            if count == last:
                raise KeyboardInterrupt

        yield callback


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_whenever_something_moves(name: str) -> None:
    """Every report of progress is a phase; before the first solution there is a bound to keep."""
    problem = hard()
    stopped = 0
    for callback in interrupts(6):
        result = solving.solve(problem, name, stop=Stop(seconds=0.5), on_progress=callback)
        stopped += result.stop is StopReason.INTERRUPTED
        assert result.bound is not None
    assert stopped >= 1


PHASES = (
    ("accmine.problems.operator_schedule.cone_bound", "_cones"),
    ("accmine.models.operator_schedule_cpsat", "OperatorScheduleCpSat.build"),
    ("accmine.models.operator_schedule_cpsat", "OperatorScheduleCpSat.hint"),
    ("accmine.solvers.engines.cpsat", "_Search._hear"),
    ("accmine.solvers.engines.crew", "Crew._start"),
    ("accmine.solvers.engines.cpsat", "_Search._prover"),
    ("accmine.solvers.operator_schedule.auto", "tighten"),
)


@pytest.mark.parametrize(("module", "phase"), PHASES)
@pytest.mark.parametrize("name", ["cp-sat", "auto"])
def test_ctrl_c_in_a_phase(name: str, module: str, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C inside building, bounding and searching keeps what is known."""
    reached = False

    def interrupted(*_: Any, **__: Any) -> Any:
        nonlocal reached
        reached = True
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{module}.{phase}", interrupted)
    result = run(name, hard(), stop=Stop(seconds=1, workers=2))
    assert (result.stop is StopReason.INTERRUPTED) == reached
    assert reached or (name, phase) == ("cp-sat", "tighten")
    assert result.status is Status.FEASIBLE


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_hint_is_refused_and_a_good_one_kept(name: str) -> None:
    problem = family("layered", 2, 12)
    good = run(name, problem).solution
    assert good is not None
    with pytest.raises(InputError, match="the hint is not a solution"):
        solving.solve(problem, name, hint=Solution(good.start - 1, good.mode))
    assert run(name, problem, stop=Stop(seconds=0), hint=good).objective == objective(problem, good)


def test_every_solver_of_schedules_is_under_test() -> None:
    assert {name for kind, name in SOLVERS if kind == "operator-schedule"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_without_search_is_never_lost(name: str) -> None:
    problem = hard()
    result = run(name, problem, stop=Stop(seconds=0.5))
    assert result.bound is not None
    assert result.bound >= bound(problem)[0]
