"""Clocks and limits."""

from __future__ import annotations

import time
from math import inf

import pytest

from accmine.ports import NEVER, BaseModel, Clock, Model, Solver, Stop


def test_never_is_never_and_so_is_every_part_of_it() -> None:
    assert (NEVER.left(), NEVER.over(), NEVER.seconds(), NEVER.stop(3)) == (inf, False, None, Stop(work=3))
    assert NEVER.part(0.5, most_s=1.0) is NEVER, "what has to repeat does not look at the clock"
    assert Clock.after(None) is NEVER
    assert Stop().clock() is NEVER


def test_a_clock_is_over_when_its_moment_has_come() -> None:
    late = Clock.after(-1.0)
    assert late.over()
    assert late.left() < 0
    assert late.seconds() == 0.0
    assert late.part().over()
    assert late.stop() == Stop(seconds=0.0)
    assert Stop(seconds=0).clock().over()


def test_parts() -> None:
    clock = Stop(seconds=100).clock()
    assert not clock.over()
    assert clock.left() == pytest.approx(100, abs=5)
    assert clock.part(0.5).left() == pytest.approx(50, abs=5)
    assert clock.part(0.5, most_s=10).left() == pytest.approx(10, abs=5)
    assert clock.part().at == pytest.approx(clock.at, abs=1e-6)
    assert clock.part(most_s=1e9).at == pytest.approx(clock.at, abs=1e-6)


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
