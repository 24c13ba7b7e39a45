"""The ports: what a model offers where it says nothing, and when a solver has to end."""

from __future__ import annotations

import time

import pytest

from accmine.ports import BaseModel, Model, Solver, Stop


def test_a_limit_counts_from_now() -> None:
    before = time.monotonic()
    assert before + 5 <= Stop(seconds=5).deadline() <= time.monotonic() + 5
    assert Stop().deadline() == float("inf")
    assert Stop(seconds=0).deadline() <= time.monotonic()


def test_a_model_that_says_nothing_claims_nothing() -> None:
    model = BaseModel()
    assert model.floor_score is None
    assert not model.provable
    assert model.separate(object()) == 0
    assert model.factors() is None
    assert model.closing() is None
    model.warm_start(None)
    with pytest.raises(NotImplementedError):
        model.below(3)


def test_protocols_look_at_what_is_there() -> None:
    class Searches:
        name = "x"

        def search(self, record: object) -> None:
            return None

    class Declares:
        engine = "cp-sat"

        def build(self, problem: object) -> None: ...

        def hint(self, solution: object) -> None: ...

        def read(self, value: object) -> None: ...

    assert isinstance(Searches(), Solver)
    assert not isinstance(Declares(), Solver)
    assert isinstance(Declares(), Model)
    assert not isinstance(BaseModel(), Model)
