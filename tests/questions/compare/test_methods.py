"""Methods: names that are there, seeds that mean something, units of work."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.problems.design_search import KIND
from accmine.questions.compare.methods import BLACK_BOXES, OURS, checked, schedules_counted, seeds_of
from accmine.registry import solvers_of


def test_every_method_that_is_named_is_registered() -> None:
    assert {*OURS, *BLACK_BOXES} <= set(solvers_of(KIND))
    assert checked(["ga", "random", "ga"]) == ("ga", "random")


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(InputError, match=r"unknown method 'gaa'; did you mean 'ga'\? known: best-first, best-of-1000"):
        checked(["random", "gaa"])


def test_seeds_of_what_draws_and_of_what_does_not() -> None:
    assert seeds_of("ga", (0, 1, 2)) == (0, 1, 2)
    assert seeds_of("wham-like", (4, 5)) == (4,)
    assert seeds_of("mine", (0, 1)) == (0, 1)


def test_a_method_that_counts_schedules_singly() -> None:
    assert (schedules_counted("best-first"), schedules_counted("random")) == (3, 1)
