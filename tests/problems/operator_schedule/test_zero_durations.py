"""What lasts no time holds nothing: everywhere, also where it asks for more than there is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from accmine.ports import Stop
from accmine.problems import operator_schedule as osp
from accmine.problems import schedule_window
from accmine.problems.operator_schedule import psplib
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.registry import solvers_of
from accmine.result import Status
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solvers.operator_schedule.insertion import Inserter
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from accmine.solvers.schedule_bounds.packing_bound import packing_bound
from accmine.solvers.schedule_bounds.strong_bound import tighten
from accmine.solving import bound_of, explain, solve
from tests.samples.raw_schedule import Raw, is_valid, modes_of, most_gain, optimum, random_schedule, random_window

CHUNKS, CHUNK = 10, 60


def everything_agrees(raw: Raw, rng: random.Random) -> None:
    """All solvers, bounds, the explanation and the check against the optimum of the text itself."""
    problem, found = osp.problem_from_json(raw), optimum(raw)
    assert (explain(problem)[0] == ()) == (found is not None)
    assert osp.problem_to_json(osp.problem_from_json(osp.problem_to_json(problem))) == osp.problem_to_json(problem)
    if found is None:
        assert bound_of(problem)[0] is None
        assert solve(problem).status is Status.INFEASIBLE
        return
    best, start, mode = found
    known = cones(problem)
    tight = tighten(problem, known, upper=max(best, osp.objective(problem, quick(problem))), work=0.05)
    said = {
        "lower_bound": osp.lower_bound(problem)[0],
        "bound": osp.bound(problem)[0],
        "cones": known.bound,
        "mirrored": cones(osp.reverse(problem)).bound,
        "packing": packing_bound(problem, known.head, known.tail, work=0.01),
        "tight": tight.bound,
    }
    assert {name: value for name, value in said.items() if value > best} == {}
    for name in solvers_of("operator-schedule"):
        result = solve(problem, name, stop=Stop(work=1.0 if name != "critical-path" else 8), seed=1)
        assert result.objective is not None, name
        assert result.solution is not None, name
        assert result.bound is not None, name
        assert result.bound <= best <= result.objective, name
        if result.status is Status.OPTIMAL or name == "cp-sat":
            assert result.objective == best, name
        assert is_valid(raw, *named(problem, result.solution)), name
    for made in (
        ListScheduler(problem).run(list(range(len(problem)))),
        Inserter(problem).run([0] * len(problem)),
    ):
        assert is_valid(raw, *named(problem, made))
    for _ in range(6):
        assert (osp.check(problem, of_names(problem, start, mode)) == ()) == is_valid(raw, start, mode)
        name = rng.choice(problem.names)
        start = {**start, name: max(0, start[name] + rng.randint(-2, 2))}
        mode = {**mode, name: rng.randrange(len(modes_of(raw["operations"][problem.names.index(name)])))}


def named(problem: osp.Problem, solution: osp.Solution) -> tuple[dict[str, int], dict[str, int]]:
    return (
        dict(zip(problem.names, solution.start.tolist(), strict=True)),
        dict(zip(problem.names, solution.mode.tolist(), strict=True)),
    )


def of_names(problem: osp.Problem, start: dict[str, int], mode: dict[str, int]) -> osp.Solution:
    return osp.Solution(np.array([start[n] for n in problem.names]), np.array([mode[n] for n in problem.names]))


def test_random_schedules() -> None:
    for seed in range(60):
        rng = random.Random(f"schedule {seed}")
        everything_agrees(random_schedule(rng), rng)


@pytest.mark.full
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_many_random_schedules(chunk: int) -> None:
    for seed in range(1000 + chunk * CHUNK, 1000 + (chunk + 1) * CHUNK):
        rng = random.Random(f"schedule {seed}")
        everything_agrees(random_schedule(rng), rng)


def window_agrees(raw: Raw) -> None:
    problem, best = schedule_window.problem_from_json(raw), most_gain(raw)
    assert best is not None
    assert (bound_of(problem)[0] or 0) >= best
    result = solve(problem)
    assert (result.status, result.objective) == (Status.OPTIMAL, best)
    assert result.solution is not None
    placed = osp.Solution(result.solution.start, result.solution.mode)
    assert is_valid(raw["schedule"], *named(problem.schedule, placed))


def test_random_windows() -> None:
    for seed in range(60):
        window_agrees(random_window(random.Random(f"window {seed}")))


@pytest.mark.full
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_many_random_windows(chunk: int) -> None:
    for seed in range(1000 + chunk * CHUNK, 1000 + (chunk + 1) * CHUNK):
        window_agrees(random_window(random.Random(f"window {seed}")))


def over_demand(*modes: tuple[int, int]) -> Raw:
    """One core; ``a`` in the given modes (duration, cores), then ``b`` for 3."""
    own = [{"duration": d, "uses": {"t": u}} for d, u in modes]
    after = {"name": "b", "duration": 3, "uses": {"t": 1}, "after": ["a"]}
    return {"resources": {"t": 1}, "operations": [{"name": "a", "modes": own}, after]}


@pytest.mark.parametrize("solver", solvers_of("operator-schedule"))
@pytest.mark.parametrize(("modes", "best"), [([(0, 5)], 3), ([(0, 5), (8, 1)], 3), ([(8, 1), (0, 2)], 3)])
def test_no_time_needs_nothing(solver: str, modes: list[tuple[int, int]], best: int) -> None:
    problem = osp.problem_from_json(over_demand(*modes))
    result = solve(problem, solver, stop=Stop(work=8.0))
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, best, best)
    assert explain(problem) == ((), ())


def test_some_time_needs_what_it_asks_for() -> None:
    problem = osp.problem_from_json(over_demand((1, 5)))
    assert explain(problem)[0] == ("resources.t",)
    assert solve(problem).status is Status.INFEASIBLE


def test_a_window_gains_what_the_mode_of_no_time_gives() -> None:
    first = {"name": "a", "modes": [{"duration": 0, "uses": {"t": 5}}, {"duration": 8, "uses": {"t": 2}}]}
    operations = [first, {"name": "b", "duration": 3, "uses": {"t": 1}, "after": ["a"]}]
    raw = {
        "kind": "schedule-window",
        "most_gain": 8,
        "schedule": {"resources": {"t": 2}, "operations": operations},
        "free": {"a": {"earliest": 0, "due": 8}},
        "fixed": {},
        "moving": {"b": 8},
    }
    result = solve(schedule_window.problem_from_json(raw))
    assert (result.status, result.objective) == (Status.OPTIMAL, 8)


PROJECT = """
jobs (incl. supersource/sink ):  3
  - renewable                 :  1   R
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          1           2
   2        1          1           3
   3        1          0
************************************************************************
REQUESTS/DURATIONS:
jobnr. mode duration  R 1
------------------------------------------------------------------------
  1      1     0       0
  2      1     0       9
  3      1     4       1
************************************************************************
RESOURCEAVAILABILITIES:
  R 1
   1
************************************************************************
"""


def test_a_job_of_no_length_in_a_project_file() -> None:
    problem = psplib.read(PROJECT)
    result = solve(problem)
    assert (result.status, result.objective) == (Status.OPTIMAL, 4)


def test_a_mode_set_says_it_itself() -> None:
    modes = osp.ModeSet(np.array([0, 2]), np.array([[7, 1], [7, 1]]))
    assert modes.uses.tolist() == [[0, 0], [7, 1]]
    given = np.array([[7, 1]])
    assert osp.ModeSet(np.array([2]), given).uses is given
