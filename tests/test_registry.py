"""Names of problems, models and solvers: those that are listed can be made, others are refused with the list."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from accmine import registry
from accmine.errors import InputError
from accmine.ports import BaseModel, Model, Solver
from accmine.problems.stage_selection import Candidate, Pipeline, Problem, Stage
from accmine.registry import (
    DEFAULT_SOLVER,
    MODELS,
    PROBLEMS,
    SOLVERS,
    WHY_NOT,
    explainer,
    kind_of,
    make_model,
    make_solver,
    problem_module,
    solvers_of,
)
from accmine.result import StopReason


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_kind_is_the_module_of_its_name(kind: str) -> None:
    assert kind == problem_module(kind).KIND


@pytest.mark.parametrize(("kind", "name"), SOLVERS)
def test_every_solver_is_made_anew_and_bears_its_name(kind: str, name: str) -> None:
    one, other = make_solver(kind, name), make_solver(kind, name)
    assert one is not other
    assert isinstance(one, Solver) or callable(one.solve)
    assert one.name == name
    assert name in solvers_of(kind)


@pytest.mark.parametrize(("kind", "name"), MODELS)
def test_every_model_is_one_with_defaults(kind: str, name: str) -> None:
    model = make_model(kind, name)
    assert isinstance(model, Model)
    assert isinstance(model, BaseModel)
    assert model.engine in ("cp-sat", "mip")


def test_defaults_and_explanations_belong_to_known_kinds() -> None:
    assert all(name in solvers_of(kind) for kind, name in DEFAULT_SOLVER.items())
    assert all(callable(explainer(kind)) for kind in WHY_NOT)
    assert explainer("schedule-window") is None


def test_what_is_unknown_is_refused_with_what_is_known() -> None:
    with pytest.raises(InputError, match=r"unknown problem kind 'x'; known: .*operator-schedule"):
        problem_module("x")
    with pytest.raises(InputError, match="unknown solver 'x' for stage-selection; known: auto, bisection"):
        make_solver("stage-selection", "x")
    with pytest.raises(InputError, match="no model of operator-schedule for 'x'; known: cp-sat"):
        make_model("operator-schedule", "x")
    for value in (3, object(), None):
        with pytest.raises(InputError, match="is not a problem"):
            kind_of(value)


def test_the_kind_of_a_problem() -> None:
    pipeline = Pipeline("p", (Stage("s", (Candidate("d", 1, 1, 0, 1, 1),)),), 1)
    assert kind_of(Problem((pipeline,))).KIND == "stage-selection"


class Mine:
    """A solver of another package."""

    name = "mine"

    def search(self, record: Any) -> StopReason:
        return StopReason.FINISHED


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    point = EntryPoint("stage-selection/mine", f"{__name__}:Mine", "accmine.solvers")

    def points(group: str) -> list[EntryPoint]:
        return [point] if group == "accmine.solvers" else []

    registry._rows.cache_clear()
    monkeypatch.setattr(registry, "entry_points", points)
    monkeypatch.setattr(registry, "_load", lambda target: Mine if target == point.value else None)
    yield
    registry._rows.cache_clear()


@pytest.mark.usefixtures("outside")
def test_an_entry_point_adds_a_solver() -> None:
    assert "mine" in solvers_of("stage-selection")
    assert isinstance(make_solver("stage-selection", "mine"), Mine)
    assert "mine" not in solvers_of("operator-schedule")
