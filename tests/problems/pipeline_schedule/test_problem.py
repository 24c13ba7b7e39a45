"""Pipeline schedules as a problem: the step of an order, what is wrong with one, the bound without search."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.problems.pipeline_schedule import (
    LARGEST,
    Problem,
    Solution,
    Stage,
    bound,
    check,
    impossible,
    lengths,
    named,
    score,
    serial_ticks,
    shown,
)
from accmine.system import SCHEDULES, step_time
from tests.samples.pipeline_sample import best_of_all, random_pipeline

ONE = Problem((Stage("a", 2, 3, 4, update=5, activation=2, weight_stash=1, memory=3),), (), 2)


def test_the_step_of_a_named_order_is_the_simulated_one() -> None:
    rng = random.Random(1)
    for _ in range(60):
        problem = random_pipeline(rng, rng.randint(1, 5), rng.randint(1, 9), split=rng.random() < 0.7)
        forward, _, _ = lengths(problem)
        backward, weight = [s.backward + s.weight for s in problem.stages], [s.weight for s in problem.stages]
        update, links = [s.update for s in problem.stages], list(problem.transfers)
        for name, solution in named(problem).items():
            if SCHEDULES[name].split_backward or not problem.split_backward:
                step = step_time(name, forward, backward, update, links, problem.microbatches, weight_s=weight)
                assert score(problem, solution) == shown(problem, step) == step, name


def test_a_whole_schedule_of_a_split_problem_sends_gradients_before_its_weight_pass() -> None:
    stages = tuple(Stage(name, 1, 1, 5, memory=9) for name in "ab")
    split, whole = Problem(stages, ((0, 0),), 1), Problem(stages, ((0, 0),), 1, split_backward=False)
    assert score(split, named(split)["1f1b"]) == 1 + 1 + 1 + 1 + 5
    assert score(whole, named(whole)["1f1b"]) == 1 + 1 + 6 + 6


F0, F1, B0, B1, W0, W1 = (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((F0, B0, W0, F1, B1, W1), ""),
        ((F0, B0, F1, W0, B1, W1), "a: holds 4 from F1, at most 3"),
        ((F0, B0, W0, F1, B1), "a: W1 is missing"),
        ((F0, B0, W0, F1, B1, W1, W1), "1 passes are there twice"),
        ((F0, B0, W0, F1, B1, W1, (2, 2)), "there is no pass W2"),
        ((F0, W0, B0, F1, B1, W1), "a: W0 waits for ever"),
    ],
)
def test_check(order: tuple[tuple[int, int], ...], message: str) -> None:
    wrong = "; ".join(check(ONE, Solution((order,))))
    assert message in wrong
    assert bool(wrong) == bool(message)


def test_orders_that_wait_for_each_other() -> None:
    problem = Problem((replace(ONE.stages[0], memory=9), replace(ONE.stages[0], name="b", memory=9)), ((0, 0),), 2)
    ascending, other = (F0, F1, B0, B1, W0, W1), (F1, B1, F0, B0, W0, W1)
    assert check(problem, Solution((ascending, other))) == ()
    stuck = check(problem, Solution(((F0, B0, F1, B1, W0, W1), other)))
    assert stuck == ("a: B0 waits for ever", "b: F1 waits for ever")
    assert check(problem, Solution((ascending,))) == ("orders of 1 devices; 2 are needed",)


@pytest.mark.parametrize(("stages", "microbatches", "cases"), [(1, 2, 60), (2, 2, 40), (3, 1, 60)])
def test_the_bound_is_never_above_the_best_order(stages: int, microbatches: int, cases: int) -> None:
    rng = random.Random(f"{stages} {microbatches}")
    for _ in range(cases):
        problem = random_pipeline(rng, stages, microbatches, split=rng.random() < 0.7)
        best = best_of_all(problem)
        assert best is not None
        assert bound(problem)[0] <= best <= serial_ticks(problem)
        ascending = best_of_all(problem, ascending=True)
        assert ascending == best, "equal microbatches may be taken in turn"


def test_memory_makes_the_bound() -> None:
    stages = tuple(Stage(f"s{s}", 10, 20, 1, memory=2 if s == 0 else 9) for s in range(4))
    value, method = bound(Problem(stages, ((5, 5),) * 3, 8))
    assert (value, method) == (4 * (4 * 30 + 3 * 10) + 1, "memory of s0")


def test_no_room_for_one_microbatch() -> None:
    small = Problem((replace(ONE.stages[0], memory=2),), (), 2)
    assert impossible(small) == (("stages[0].memory",), ("stages[0].memory: 3",))
    assert impossible(ONE) == ((), ())


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"stages": ()}, "stages", "at least one"),
        ({"transfers": ((1, 1),)}, "transfers", "one per boundary, 0"),
        ({"microbatches": 0}, "microbatches", "integer in 1"),
        ({"microbatches": True}, "microbatches", "True is not allowed"),
        ({"stages": (replace(ONE.stages[0], weight=0),)}, "stages[0].weight", "integer in 1"),
        ({"stages": (replace(ONE.stages[0], memory=-1),)}, "stages[0].memory", "integer in 0"),
        ({"stages": (replace(ONE.stages[0], forward=LARGEST),)}, "microbatches", "larger ones"),
        ({"stages": (replace(ONE.stages[0], activation=LARGEST),)}, "stages[0].activation", "larger ones"),
        ({"stages": ONE.stages * 2, "transfers": ((0, 0),)}, "stages", "names"),
    ],
)
def test_refused(change: dict[str, object], field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        replace(ONE, **change)  # type: ignore[arg-type]
    assert field in [complaint.field for complaint in caught.value.complaints]
