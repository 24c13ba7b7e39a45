"""The regret over mixes of workloads of tiny spaces: against every design, and as an interval."""

from __future__ import annotations

from functools import cache
from math import isclose
from typing import Any

import pytest

from accmine.plan import make_plan
from accmine.problems.design_search import TIE, Evaluation
from accmine.questions.run.flow import find
from accmine.questions.run.record import Outcome
from accmine.questions.run.several.regret import solve_regret
from accmine.report import Watch
from accmine.search import Kept, Store, search_problem
from accmine.study import Study, read_inputs
from tests.samples.search_sample import everything, study

KEYS: dict[str, Any] = {
    "models": ("mlp", "gpt"),
    "space": {"tensor_cores": [1, 2, 3], "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [4, 8]},
    "limits": {"area": "440 mm^2"},
    "aggregate": "regret",
    "budget": {"work": 12, "deterministic": True},
    "search": {"refine": "none", "top_k": 3, "shares": 1},
}
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "named": {
        "mixes": [
            {"name": "mostly mlp", "shares": {"mlp": 3, "gpt": 1}},
            {"name": "gpt alone", "shares": {"gpt": 0.5}},
        ]
    },
    "one mix": {"mixes": [{"name": "half", "shares": {"mlp": 1, "gpt": 1}}]},
}


def regret_of(asked: Study, store: Store | None = None, watch: Watch | None = None) -> Outcome:
    plan = make_plan(asked.one_run, read_inputs(asked))
    outcome, lanes = solve_regret(plan, asked.mix_rows, store or Kept(), lambda *_: None, watch=watch)
    assert lanes
    return outcome


@cache
def found(case: str) -> Outcome:
    return regret_of(study(**(KEYS | CASES[case])))


@cache
def brute() -> tuple[tuple[float, ...], list[Evaluation]]:
    """References, and every design that meets the limits, with list schedules."""
    asked = study(**(KEYS | {"aggregate": "worst"}))
    plan = find(make_plan(asked, read_inputs(asked)), Kept(), lambda *_: None, compare=False).plan
    (group,) = plan.groups(plan.study.mode)
    return plan.reference_s, everything(search_problem(plan, group, 1, plan.library()))


def mixed(evaluation: Evaluation, shares: tuple[float, ...]) -> float:
    steps = zip(shares, evaluation.step_s, brute()[0], strict=True)
    return sum(share * step / reference for share, step, reference in steps)


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_as_good_as_the_best_of_all_designs(case: str) -> None:
    outcome, (_, every) = found(case), brute()
    assert outcome.regret is not None
    rows = outcome.regret.mixes
    best = [min(mixed(e, row.shares) for e in every) for row in rows]
    for row, least in zip(rows, best, strict=True):
        assert row.bound <= least * (1 + 1e-9)
        assert row.best <= least * (1 + TIE)
    worst = [max(mixed(e, row.shares) / row.best - 1 for row in rows) for e in every]
    assert outcome.regret.value <= (1 + min(worst)) * (1 + TIE) - 1 + 1e-9
    assert outcome.regret.at_least <= min(worst) + 1e-9
    assert len(every) > 10


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_the_regret_is_an_interval(case: str) -> None:
    outcome = found(case)
    known = outcome.regret
    assert known is not None
    assert 0 <= known.at_least <= known.value * (1 + 1e-9) + 1e-12 <= known.at_most * (1 + 1e-9) + 2e-12
    for row in known.mixes:
        assert isclose(sum(row.shares), 1)
        assert row.bound <= row.best <= row.answer
        assert isclose(row.regret, row.answer / row.best - 1, abs_tol=1e-12)
        relative = [w.step_s / t for w, t in zip(outcome.workloads, brute()[0], strict=True)]
        assert isclose(row.answer, sum(s * r for s, r in zip(row.shares, relative, strict=True)), rel_tol=1e-12)
    assert outcome.certificate.bound <= outcome.certificate.objective
    assert isclose(outcome.certificate.objective, 1 + known.value, rel_tol=TIE)


def test_of_one_mix_nothing_is_lost() -> None:
    known = found("one mix").regret
    assert known is not None
    assert known.value <= TIE


def test_mixes_are_those_of_the_study() -> None:
    default, named = found("default").regret, found("named").regret
    assert default is not None
    assert named is not None
    assert [(row.name, row.shares) for row in default.mixes] == [
        ("mlp alone", (1.0, 0.0)),
        ("gpt alone", (0.0, 1.0)),
        ("equal shares", (0.5, 0.5)),
    ]
    assert [(row.name, row.shares) for row in named.mixes] == [("mostly mlp", (0.75, 0.25)), ("gpt alone", (0.0, 1.0))]
    # The worst over more mixes is no better: what is lost alone in "equal shares" is no more than alone in one of them.
    assert default.value >= max(row.regret for row in default.mixes) * (1 - 1e-12)


class Interrupting(Watch):
    """Raises a Ctrl-C as a step begins."""

    def __init__(self, at: str) -> None:
        self.at = at

    def step(self, name: str) -> None:
        if name == self.at:
            self.at = ""
            raise KeyboardInterrupt


def test_an_interrupt_leaves_an_answer_and_the_next_try_is_no_worse() -> None:
    asked, store = study(**(KEYS | {"budget": {"seconds": 6, "workers": 1}})), Kept()
    stopped = regret_of(asked, store, Interrupting("mix 2 of 3, gpt alone: prove"))
    whole = regret_of(asked, store)
    assert (stopped.stop, whole.stop != "interrupted") == ("interrupted", True)
    assert stopped.regret is not None
    assert whole.regret is not None
    assert whole.regret.at_most <= stopped.regret.at_most * (1 + 1e-9) + 1e-12
