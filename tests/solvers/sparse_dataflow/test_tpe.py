"""TPE: repeatable, valid, exact inside a trial, with every trial in its record."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import optuna
import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Problem, check, loss_of
from accmine.registry import make_solver
from accmine.result import StopReason
from accmine.solvers.sparse_dataflow.tpe import MOST_TRIALS, Trial
from accmine.solving import solve
from tests.samples.sparse_raw import least_interval, raw
from tests.samples.sparse_sample import random_dataflow, squeezed


def case(seed: int) -> Problem:
    """Three layers of which the levels matter."""
    drawn = random_dataflow(seed)
    return squeezed(drawn, seed) if seed % 2 else drawn


def large(seed: int) -> Problem:
    """One with a solution and at least eight choices of levels."""
    found = (case(own) for own in range(seed, seed + 200))
    return next(own for own in found if sum(len(layer.levels) for layer in own.layers) >= 7 and solve(own).solution)


@pytest.mark.parametrize("seed", [0, 30, 60])
def test_the_same_seed_gives_the_same_trials(seed: int) -> None:
    problem = large(seed)

    def trials(own: int) -> list[tuple[int | None, int]]:
        return [(t.interval, t.loss) for t in solve(problem, "tpe", seed=own, stop=Stop(work=20)).pool]

    assert trials(1) == trials(1)
    assert len(trials(1)) <= 20
    assert len({tuple(trials(own)) for own in range(4)}) > 1


def test_trials_are_exact_and_the_best_one_within_the_loss_is_kept() -> None:
    seen = Counter[str]()
    for seed in range(24):
        problem = case(seed)
        found, exact = solve(problem, "tpe", stop=Stop(work=40)), solve(problem, "bisection")
        assert found.bound is None
        best = None
        for i, trial in enumerate(found.pool):
            assert isinstance(trial, Trial)
            assert trial.number == i
            fits = problem.budget.loss is None or trial.loss <= problem.budget.loss
            if fits and trial.interval is not None and (best is None or trial.interval < best):
                best = trial.interval
            assert trial.best == best, seed
        assert found.objective == best
        if found.solution is None:
            seen["none"] += 1
            continue
        assert check(problem, found.solution) == ()
        assert raw(problem, found.solution).interval == best
        assert exact.objective is not None
        assert best is not None
        assert best >= exact.objective
        seen["same"] += best == exact.objective
    assert seen["same"] > 12
    assert seen["none"] > 1


@pytest.mark.parametrize("seed", range(6))
def test_a_trial_is_worth_the_best_design_with_its_levels(seed: int) -> None:
    problem = case(seed)
    found = solve(problem, "tpe", stop=Stop(work=1)).pool
    least = [min(layer.levels, key=lambda own: own.loss) for layer in problem.layers]
    fixed = tuple(replace(layer, levels=(own,)) for layer, own in zip(problem.layers, least, strict=True))
    open_budget = replace(problem.budget, loss=None)
    for trial in found:
        assert trial.loss == sum(own.loss for own in least)
        assert trial.interval == least_interval(replace(problem, layers=fixed, budget=open_budget))[1]


def test_it_ends_when_all_levels_were_tried_or_the_limit_is_reached() -> None:
    problem = next(own for own in map(case, range(100)) if sum(len(layer.levels) - 1 for layer in own.layers) == 1)
    found = solve(problem, "tpe")
    assert found.stop is StopReason.FINISHED
    assert len({trial.loss for trial in found.pool}) == 2
    assert len(found.pool) < MOST_TRIALS
    if found.solution is not None:
        assert loss_of(problem, found.solution) in {trial.loss for trial in found.pool}
    short = solve(large(0), "tpe", stop=Stop(work=3))
    assert (short.stop, short.work, len(short.pool)) == (StopReason.TIME, 3, 3)


def test_what_optuna_prints_is_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    solve(case(0), "tpe", stop=Stop(work=2))
    assert optuna.logging.get_verbosity() == before


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for own in [key for key in sys.modules if key.partition(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, own)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"tpe needs optuna; install it with: pip install 'accmine\[searches\]'"):
        make_solver("sparse-dataflow", "tpe")
