"""What an answer over several devices is worth, against the search and against answers that were changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.problems.sparse_dataflow import Budget, Problem
from accmine.questions.sparse.devices import Placed, Site, Spread, spread
from accmine.questions.sparse.devices.rules import (
    Rate,
    device_s,
    link_cycles,
    link_s,
    placed_of,
    slowest_s,
    wrong_with,
)
from tests.samples.sparse_sample import random_dataflow

SITES = (Site("a", Budget(), 200e6), Site("b", Budget(), 300e6), Site("c", Budget(), 200e6))
LINKS: tuple[Rate, ...] = (Fraction(3, 2), None)


def _case() -> tuple[Problem, Spread]:
    problem = next(p for p in map(random_dataflow, range(99)) if len(p.layers) == 3)
    problem = replace(problem, edges=((0, 1), (0, 2), (1, 2)), budget=Budget(loss=problem.budget.loss))
    return problem, spread(problem, SITES, LINKS)


def test_what_the_search_finds_is_an_answer() -> None:
    problem, found = _case()
    assert found.exact_s is not None
    assert wrong_with(problem, SITES, LINKS, found.placed, found.exact_s) == ()
    firsts, designs = [own.first for own in found.placed], [own.solution for own in found.placed]
    assert tuple(placed_of(problem, SITES, firsts, designs)) == found.placed
    assert slowest_s(SITES, LINKS, found.placed) == found.exact_s


def test_links_and_devices_by_hand() -> None:
    _, found = _case()
    first, second, _ = found.placed
    assert device_s(SITES[1], second) == Fraction(second.interval, 300_000_000)
    assert link_cycles(first, Fraction(3, 2)) == -(-2 * first.words // 3)
    assert link_s(SITES[0], first, 7) == Fraction(-(-first.words // 7), 200_000_000)
    assert link_cycles(first, None) is None
    assert link_s(SITES[0], first, None) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda own: (own[0], own[1], replace(own[2], loss=own[2].loss + 1)), "lost, 0 words are claimed"),
        (lambda own: (replace(own[0], words=1), *own[1:]), "1 words are claimed"),
        (lambda own: (own[0], replace(own[1], interval=1), own[2]), "b: 1 cycles"),
        (lambda own: own[:2], "layers [0, 1] begin 2 of 3 devices"),
        (lambda own: (own[0], replace(own[1], first=0), own[2]), "layers [0, 0, 2] begin"),
    ],
)
def test_what_is_wrong_is_told(change: Callable[[tuple[Placed, ...]], tuple[Placed, ...]], said: str) -> None:
    problem, found = _case()
    assert found.exact_s is not None
    (line, *_) = wrong_with(problem, SITES, LINKS, change(found.placed), found.exact_s)
    assert said in line


def test_limits_and_the_rate_are_held() -> None:
    problem, found = _case()
    assert found.exact_s is not None
    slow = wrong_with(problem, SITES, LINKS, found.placed, found.exact_s / 2)
    assert any("s recomputed" in line for line in slow)
    none = (SITES[0], replace(SITES[1], budget=Budget(lut=0)), SITES[2])
    assert any(line.startswith("b: ") for line in wrong_with(problem, none, LINKS, found.placed, found.exact_s))
    back = replace(problem, edges=((2, 0),))
    assert "the edge 2 to 0 goes back" in wrong_with(back, SITES, LINKS, found.placed, found.exact_s)


def test_the_loss_is_that_of_all() -> None:
    problem, found = _case()
    lost = sum(own.loss for own in found.placed)
    less = replace(problem, budget=replace(problem.budget, loss=lost - 1))
    assert found.exact_s is not None
    said = wrong_with(less, SITES, LINKS, found.placed, found.exact_s)
    assert f"{lost} lost together, {lost - 1} are allowed" in said
