"""Why a selection has no solution: minimal against every choice, and every value holds to the digit shown."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine import cli
from accmine.ports import BaseModel, Clock, Stop
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.registry import make_model, make_solver
from accmine.result import Status, StopReason
from accmine.solving import explain, solve

NAMES = ("floor", "limits.area_mm2", "limits.tdp_w")


def instance(seed: int, mode: str = "heterogeneous") -> Problem:
    """A small selection whose limits and floor are near what can be reached."""
    rng = random.Random(seed)
    pool = [(rng.uniform(50, 100), rng.uniform(10, 60), rng.uniform(0.5, 2)) for _ in range(4)]
    pipelines = []
    for w in range(rng.choice((1, 2))):
        stages = []
        for s in range(rng.choice((1, 2))):
            picks = pool if mode != "heterogeneous" else rng.sample(pool, 3)
            speed = rng.uniform(0.5, 2)
            rows = [
                Candidate(f"d{pool.index(p)}", round(speed * p[2], 3), round(2 * speed * p[2], 3), 0.1, p[0], p[1])
                for p in picks
            ]
            stages.append(Stage(f"s{s}", tuple(rows)))
        pipelines.append(
            Pipeline(f"p{w}", tuple(stages), 3, transfer_s=((0.01, 0.01),) * (len(stages) - 1), reference_s=20.0)
        )
    devices = sum(len(p.stages) for p in pipelines)
    limits = [rng.choice((None, round(devices * rng.uniform(low, high), 1))) for low, high in ((50, 80), (15, 45))]
    floor = rng.choice((0.0, rng.uniform(0.5, 4)))
    return Problem(tuple(pipelines), Limits(*limits), mode, "throughput-per-tdp", floor=floor)


def choices(problem: Problem) -> list[Solution]:
    shape = [len(pipeline.stages) for pipeline in problem.pipelines]
    stages = [stage for pipeline in problem.pipelines for stage in pipeline.stages]
    found = []
    for row in itertools.product(*(range(len(stage.candidates)) for stage in stages)):
        rest = iter(row)
        found.append(Solution(tuple(tuple(next(rest) for _ in range(count)) for count in shape)))
    return found


def possible(problem: Problem) -> bool:
    return any(not problems.check(problem, choice) for choice in choices(problem))


def only(problem: Problem, names: tuple[str, ...]) -> Problem:
    """The problem with the limits of these names."""
    limits = Limits(
        problem.limits.area_mm2 if "limits.area_mm2" in names else None,
        problem.limits.tdp_w if "limits.tdp_w" in names else None,
    )
    return replace(problem, limits=limits, floor=problem.floor if "floor" in names else 0.0)


def changed(problem: Problem, name: str, value: float) -> Problem:
    if name == "floor":
        return replace(problem, floor=value)
    return replace(problem, limits=replace(problem.limits, **{name.removeprefix("limits."): value}))


def present(problem: Problem) -> tuple[str, ...]:
    limits = problem.limits
    return tuple(n for n, v in zip(NAMES, (problem.floor, limits.area_mm2, limits.tdp_w), strict=True) if v)


def examine(problem: Problem) -> tuple[str, ...]:
    """Check everything that is said about a problem; returns the limits in conflict."""
    conflict, remedy = explain(problem)
    assert bool(conflict) == (not possible(problem))
    if not conflict:
        return ()
    assert not possible(only(problem, conflict))
    single = [name for name in conflict if "no value" not in remedy[conflict.index(name)]]
    for name, text in zip(conflict, remedy, strict=True):
        rest = tuple(other for other in present(problem) if other != name)
        assert text.startswith(f"{name}: ")
        if "must change as well" in text or "no value" in text:
            assert not possible(only(problem, rest))
            continue
        assert possible(only(problem, rest))
        if len(single) == len(conflict):
            assert possible(only(problem, tuple(other for other in conflict if other != name)))
        value = float(text.split()[1])
        assert ("is the most that works" if name == "floor" else "is the least that works") in text
        assert possible(changed(problem, name, value))
        worse = value * (1 + 1e-6) if name == "floor" else value * (1 - 1e-6)
        assert not possible(changed(problem, name, worse))
    return conflict


@pytest.mark.parametrize("mode", ["heterogeneous", "homogeneous", "common"])
def test_against_every_choice(mode: str) -> None:
    seen = {examine(instance(seed, mode)) for seed in range(14)}
    assert () in seen
    assert len(seen) >= 3, "several kinds of conflict occur"


@pytest.mark.full
@pytest.mark.parametrize("mode", ["heterogeneous", "homogeneous", "common"])
def test_against_every_choice_of_two_hundred(mode: str) -> None:
    seen = {examine(instance(seed, mode)) for seed in range(100, 300)}
    assert len(seen) >= 6


def test_assumptions_alone_find_the_conflict() -> None:
    """The solver that explains is a solver: a choice, or a minimal conflict."""
    kinds = set()
    for seed in range(12):
        problem = instance(seed)
        result = solve(problem, "limit-conflict", stop=Stop(seconds=20))
        kinds.add(result.status)
        assert (result.status is Status.INFEASIBLE) == (not possible(problem))
        if result.status is not Status.INFEASIBLE:
            assert result.verified
            continue
        assert not possible(only(problem, result.conflict))
        for name in result.conflict:
            assert possible(only(problem, tuple(other for other in result.conflict if other != name)))
    assert Status.INFEASIBLE in kinds
    assert len(kinds) > 1


def test_without_time_nothing_is_claimed() -> None:
    problem = next(p for p in map(instance, range(50)) if not possible(p))
    result = solve(problem, "limit-conflict", stop=Stop(seconds=0))
    assert result.status in (Status.UNKNOWN, Status.INFEASIBLE)
    questions: Any = make_solver(problems.KIND, "limit-conflict")
    asked = questions.questions(problem, Stop(seconds=20))
    assert asked.ask(())[0] is True
    assert asked.names == frozenset(present(problem))


def test_the_model_is_a_model_of_the_choice() -> None:
    problem = instance(1)
    model = make_model(problems.KIND, "limit-conflict")
    model.build(problem)
    model.hint(choices(problem)[0])
    assert isinstance(model, BaseModel)
    assert model.floor_score is None, "it has no objective"


def test_the_command_line_names_the_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = replace(instance(3), limits=Limits(60.0, None), floor=0.0)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(problems.problem_to_json(problem), indent=1))
    (line,) = [i + 1 for i, text in enumerate(path.read_text().splitlines()) if '"area_mm2": 60' in text]
    output = tmp_path / "r.json"
    with pytest.raises(SystemExit) as caught:
        cli.main(["solve", str(path), "-o", str(output)])
    assert caught.value.code == 1
    table = json.loads(output.read_text())
    assert table["conflict"] == ["limits.area_mm2"]
    assert table["where"] == [f"{path}:{line}:15"]
    assert table["remedy"][0].startswith("limits.area_mm2: ")
    assert f"conflict  limits.area_mm2 ({path}:{line}:15)" in capsys.readouterr().out


def test_an_interrupt_while_explaining_leaves_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """That nothing meets the limits is known by then; only which of them conflict is not."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("accmine.solvers.stage_selection.why_not.conflicts", interrupted)
    problem = next(p for p in map(instance, range(50)) if not possible(p))
    result = solve(problem, "highs", stop=Stop(seconds=20))
    assert result.status is Status.INFEASIBLE
    assert (result.stop, result.conflict) == (StopReason.PROVED, ())
    assert "interrupted" in result.remedy[0]


def test_out_of_time_the_conflict_is_one() -> None:
    seen = 0
    for seed in range(60):
        problem = instance(seed)
        if possible(problem):
            continue
        conflict, remedy = explain(problem, Clock(0.0))
        assert conflict
        assert not possible(only(problem, conflict))
        open_ones = any("in time" in text for text in remedy)
        assert open_ones or conflict == explain(problem)[0]
        seen += open_ones
    assert seen >= 3
