"""The portfolio: every pass valid, every kind of pass made, repeatable."""

from __future__ import annotations

from itertools import islice

import pytest

from accmine.problems.operator_schedule import Problem, Solution, check, objective
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.record import Record
from accmine.solvers.operator_schedule.copies import copies
from accmine.solvers.operator_schedule.portfolio import Portfolio
from tests.samples.graph_sample import Row, every, general, layers, problem_of, starts


class Watched:
    """A record, and every schedule it is offered."""

    def __init__(self, problem: Problem, seed: int = 0) -> None:
        self.record = Record[Solution](problem, seed=seed, solver="portfolio")
        self.offered: list[Solution] = []
        offer = self.record.offer

        def watch(solution: Solution) -> bool:
            self.offered.append(solution)
            return bool(offer(solution))

        vars(self.record)["offer"] = watch  # in front of the method


def made(problem: Problem, steps: int, seed: int = 0, aware: bool = True) -> tuple[Watched, Portfolio]:
    watched = Watched(problem, seed)
    portfolio = Portfolio(watched.record, seed)
    portfolio.first()
    if aware:
        found = cones(problem)
        portfolio.know(found.head, found.tail)
    for _ in islice(portfolio.steps(), steps):
        pass
    return watched, portfolio


def test_every_pass_is_valid_and_counted() -> None:
    for problem in every(range(6), 18):
        watched, _ = made(problem, 120)
        assert all(check(problem, solution) == () for solution in watched.offered)
        assert watched.record.score == min(objective(problem, solution) for solution in watched.offered)
        assert watched.record.work > 0.999 * len(watched.offered) * len(problem) / 200_000


def test_the_search_begins_behind_the_plan_and_changes_priorities() -> None:
    problem = layers(2, 3, (1, 1), copies=3)
    watched, portfolio = made(problem, 2000)
    assert portfolio.searching
    assert portfolio.copy is not None
    assert portfolio.copy.max() == 2
    assert len({tuple(map(int, solution.start)) for solution in watched.offered}) > 50


@pytest.mark.parametrize("problem", [layers(3, 4, (1, 1)), layers(2, 3, (1, 2), copies=2), general(4, 30)])
def test_same_seed_same_schedules(problem: Problem) -> None:
    first, again, other = (made(problem, 400, seed)[0] for seed in (1, 1, 2))
    assert [starts(s) for s in first.offered] == [starts(s) for s in again.offered]
    assert [starts(s) for s in first.offered] != [starts(s) for s in other.offered]


def test_heads_and_tails_that_are_known_are_used() -> None:
    problem = layers(2, 3, (1, 1))
    for aware in (True, False):
        watched, portfolio = made(problem, 0, aware=aware)
        before = len(watched.offered)
        for _ in portfolio._aware():
            pass
        assert (len(watched.offered) > before) == aware


def test_stagger_pays_where_copies_compete() -> None:
    problem = layers(8, 2, (2, 1), copies=3)
    plain = Watched(problem).record
    portfolio = Portfolio(plain, 0)
    for _ in portfolio._plain():
        pass
    before = plain.score
    portfolio.copy = copies(problem)
    for _ in portfolio._staggered():
        pass
    assert before is not None
    assert plain.score is not None
    assert plain.score < before


def test_modules_pay_where_layers_repeat() -> None:
    problem = layers(6, 7, (2, 3))
    record = Watched(problem).record
    portfolio = Portfolio(record, 0)
    for _ in portfolio._modules():
        pass
    assert record.score is not None
    assert record.score <= objective(problem, portfolio.inserter.run())


def test_one_operation_and_none_end_the_search() -> None:
    one: list[Row] = [("a", [(3, [1, 0])], [])]
    for rows in (one[:0], one):
        problem = problem_of(rows, [1, 1])
        record = Watched(problem).record
        portfolio = Portfolio(record, 0)
        portfolio.first()
        for _ in portfolio.steps():
            pass
        assert record.score == 3 * len(rows)
        assert portfolio.searching
