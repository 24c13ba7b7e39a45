"""Why no counts keep a rate, beside all counts looked at one by one."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.kernel.program import Issue, Location, Program, Station, Step
from accmine.ports import Clock
from accmine.problems.kernel_sizing import Choice, Problem, Solution, field_of, rate_of
from accmine.solvers.kernel_sizing.why_not import explain
from accmine.solving import load_problem, solve
from tests.samples.kernel_sizing_sample import every, least_cost, random_sizing

ENDLESS = 4096
SEEDS = range(60)


def rates(problem: Problem, without: tuple[int, ...] = ()) -> Fraction:
    """The least rate of all counts, those of some choices without limit."""
    rows = [(ENDLESS,) if i in without else own.counts for i, own in enumerate(problem.choices)]
    choices = tuple(
        replace(own, costs=tuple((count, 0) for count in row)) for own, row in zip(problem.choices, rows, strict=True)
    )
    open_ones = replace(problem, choices=choices)
    return min(rate_of(open_ones, Solution(counts))[0] for counts in itertools.product(*rows))


def tight(seed: int) -> Problem:
    """A problem without solution: the fewest counts of each, and a target that more of them reach, or nothing does."""
    problem = random_sizing(seed, most=5)
    choices = tuple(Choice(own.what, own.name, ((1, 0), (2, 0))[: 1 + seed % 2]) for own in problem.choices)
    problem = replace(problem, choices=choices)
    reached, endless = rates(problem), rates(problem, tuple(range(len(choices))))
    if reached == endless:
        return replace(problem, target=reached - Fraction(1, 9))
    return replace(problem, target=endless + (reached - endless) * Fraction(seed % 3, 3))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_is_what_all_counts_show(seed: int) -> None:
    problem = tight(seed)
    conflict, remedy = explain(problem)
    if least_cost(problem) is not None:
        assert (conflict, remedy) == ((), ())
        return
    assert conflict[0] == "target"
    assert len(remedy) in (len(conflict), len(conflict) + 1)
    said = re.match(r"target: at least ([0-9/]+) cycles per iteration", remedy[0])
    assert said is not None
    assert Fraction(said[1]) == rates(problem)
    names = [field_of(problem, own) for own in problem.choices]
    members = tuple(names.index(name) for name in conflict[1:])
    others = tuple(set(range(len(names))) - set(members))
    assert rates(problem, others) > problem.target, "these alone exclude the target"
    if len(remedy) > len(conflict):
        together = re.match(
            r"without a limit of .* (?:([0-9/]+) cycles per .* at least|the target is kept)", remedy[-1]
        )
        assert together is not None
        least = rates(problem, members)
        assert least <= problem.target if together[1] is None else least == Fraction(together[1]) > problem.target
    for i, line in zip(members, remedy[1:], strict=False):
        assert line.startswith(f"{names[i]}: ")
        assert_single(problem, i, line)


def assert_single(problem: Problem, i: int, line: str) -> None:
    alone = rates(problem, (i,))
    own = problem.choices[i]
    if alone > problem.target:
        assert f"no count of {own.name} is enough by itself; without a limit of it at least {alone} cycles" in line
        return
    found = re.search(r": (\d+) of ", line)
    assert found is not None
    assert "are the least that work while the others stay" in line
    for count in range(1, int(found[1]) + 1):
        one = replace(own, costs=((count, 0),))
        changed = replace(problem, choices=tuple(one if k == i else o for k, o in enumerate(problem.choices)))
        kept = any(rate_of(changed, solution)[0] <= problem.target for solution in every(changed))
        assert kept == (count == int(found[1]))


def test_every_kind_of_answer_is_among_them() -> None:
    answers = [explain(tight(seed)) for seed in SEEDS]
    assert sum(len(conflict) == 1 for conflict, _ in answers) >= 5, "the target alone"
    assert sum(len(conflict) == 2 for conflict, _ in answers) >= 5, "a resource"
    assert sum(len(conflict) > 2 for conflict, _ in answers) >= 3, "several"
    assert sum("by itself" in line for _, remedy in answers for line in remedy) >= 5


def test_several_resources_together() -> None:
    """Both buffers are too few: neither is enough by itself, and each is told so with what it would reach."""
    problem = load_problem("examples/kernel-sizing.json")
    once = tuple(replace(own, costs=own.costs[:1]) for own in problem.choices if own.name.startswith("spad.")) + tuple(
        replace(own, costs=own.costs[-1:]) for own in problem.choices if not own.name.startswith("spad.")
    )
    result = solve(replace(problem, choices=once))
    assert result.status.value == "infeasible"
    assert set(result.conflict) == {"target", "locations[0].slots", "locations[1].slots"}
    assert [line for line in result.remedy if "is enough by itself" in line] != []


def test_what_is_known_without_search_is_told_in_the_same_words() -> None:
    problem = replace(load_problem("examples/kernel-sizing.json"), target=Fraction(29))
    result = solve(problem)
    assert (result.conflict, result.remedy) == explain(problem)
    assert result.remedy == (
        "target: at least 30 cycles per iteration; "
        "multiply reads acc.C, which multiply 1 iteration earlier wrote, 30 cycles after its start",
    )


def test_a_problem_with_a_solution_has_no_reason() -> None:
    assert explain(load_problem("examples/kernel-sizing.json")) == ((), ())


@pytest.mark.parametrize("seed", SEEDS[:20])
def test_out_of_time_the_conflict_is_one(seed: int) -> None:
    problem = tight(seed)
    if least_cost(problem) is not None:
        return
    whole, (conflict, remedy) = explain(problem), explain(problem, Clock(0.0))
    assert conflict[0] == "target"
    assert set(whole[0]) <= set(conflict), "more is named than needed"
    assert len(remedy) >= len(conflict)
    said = re.match(
        r"target: (at least )?([0-9/]+) (?:works, whether less does was not decided in time; at it )?", remedy[0]
    )
    assert said is not None
    assert Fraction(said[2]) >= rates(problem)
    assert Fraction(said[2]) == rates(problem) or said[1] is None


@pytest.mark.parametrize("target", [3, 60])
def test_below_the_target_nothing_is_told_of_what_several_reach(target: int) -> None:
    """Two locations that are each in the way: of both without limit it is known that the target is kept, no more."""
    stations = {"f": Station("f", 1000), "u": Station("u", 1000, 1), "v": Station("v", 1000, 1)}
    body = tuple(
        Issue(f"{how}{name}", (Step("f"),), "u" if how == "w" else "v", 100, 0, (), reads, writes)
        for name in "AB"
        for how, reads, writes in (("w", (), (name,)), ("r", (name,), ()))
    )
    choices = tuple(Choice("location", name, ((1, 1),)) for name in "AB")
    program = Program(body, stations, {}, {name: Location(name, 1) for name in "AB"})
    problem = Problem(program, choices, Fraction(target))
    many = replace(problem, choices=tuple(Choice("location", name, ((1000, 1),)) for name in "AB"))
    assert rate_of(many, Solution((1000, 1000)))[0] < target
    assert explain(problem)[1][-1] == "without a limit of A and B the target is kept"
