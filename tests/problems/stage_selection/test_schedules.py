"""Every schedule of the table is either judged by its own chains in a selection, or refused by name."""

from __future__ import annotations

import random

import pytest

from accmine.errors import InputError
from accmine.problems.stage_selection import Candidate, Pipeline, Problem, Stage
from accmine.problems.stage_selection.integers import integers
from accmine.problems.stage_selection.rules import step_seconds
from accmine.solving import solve
from accmine.system import SCHEDULES, step_bound, step_time, whole_stages


def selection(schedule: str, seed: int) -> Problem:
    """Three stages of three candidates each, under a limit of area."""
    rng = random.Random(f"{schedule} {seed}")

    def candidates() -> tuple[Candidate, ...]:
        sizes = sorted(rng.sample(range(1, 20), 3))
        return tuple(Candidate(f"d{a}", rng.random() / a, rng.random() / a, rng.random() / a, a, a) for a in sizes)

    stages = tuple(Stage(f"s{s}", candidates()) for s in range(3))
    links = ((0.01, 0.02), (0.0, 0.03))
    return Problem((Pipeline("p", stages, 6, schedule, links, reference_s=1.0),))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_right_or_refused(schedule: str) -> None:
    if schedule not in whole_stages():
        with pytest.raises(InputError, match=f"'{schedule}' is not allowed; allowed: {', '.join(whole_stages())}"):
            selection(schedule, 0)
        return
    for seed in range(3):
        problem = selection(schedule, seed)
        best = solve(problem, "brute-force")
        numbers = integers(problem)
        for solver in ("auto", "highs", "cp-sat", "lagrangian"):
            found = solve(problem, solver)
            assert found.bound is not None
            assert best.objective is not None
            assert found.bound <= best.objective * (1 + 1e-9), (solver, schedule)
            assert found.objective == best.objective or solver == "lagrangian"
        assert best.solution is not None
        picks = best.solution.choice[0]
        chosen = [stage.candidates[c] for stage, c in zip(problem.pipelines[0].stages, picks, strict=True)]
        forward, backward, update = ([getattr(c, f"{phase}_s") for c in chosen] for phase in PHASES)
        links = list(problem.pipelines[0].transfer_s)
        step = step_time(schedule, forward, backward, update, links, 6)
        assert step_seconds(problem, best.solution) == (step,)
        assert step_bound(schedule, forward, backward, update, links, 6) <= step * (1 + 1e-12)
        assert numbers.pipelines[0].schedule == schedule


PHASES = ("forward", "backward", "update")
