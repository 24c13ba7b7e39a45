"""The model of a sizing against all counts, as text, and how fast twelve free counts are proven.

The golden file is written anew by ``ACCMINE_UPDATE_GOLDEN=1 pytest tests/models/test_kernel_sizing_cpsat.py``.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ortools.sat.python import cp_model

from accmine.kernel.program import Access, Issue, Location, Port, Program, Station, Step
from accmine.models.kernel_sizing_cpsat import KernelSizingCpSat
from accmine.ports import Stop
from accmine.problems.kernel_sizing import Choice, Problem, Solution, check, rate_of, score
from accmine.result import Status
from accmine.solving import solve
from tests.samples.kernel_sizing_sample import least_cost, random_sizing

GOLDEN = Path(__file__).parents[1] / "golden" / "kernel_sizing.txt"


def compare(problem: Problem, solver: str | None = None) -> Status:
    best, result = least_cost(problem), solve(problem, solver)
    if best is None:
        assert result.status is Status.INFEASIBLE
    else:
        assert result.status is Status.OPTIMAL
        assert result.solution is not None
        assert score(problem, result.solution) == result.bound == best
        assert check(problem, result.solution) == ()
    return result.status


@pytest.mark.parametrize("part", range(0, 12, 3))
def test_against_all_counts(part: int) -> None:
    found = [compare(random_sizing(seed)) for seed in range(10 * part, 10 * part + 10)]
    assert found.count(Status.OPTIMAL) > 3


@pytest.mark.full
def test_six_hundred_against_all_counts() -> None:
    found = [compare(random_sizing(seed)) for seed in range(1000, 1600)]
    assert found.count(Status.OPTIMAL) > 300
    assert found.count(Status.INFEASIBLE) > 60


def without_its_floor(problem: Problem) -> int | None:
    """The optimum of the declared rows alone: no bound, no start, no count excluded beforehand by the caller."""
    model = KernelSizingCpSat()
    engine = cp_model.CpSolver()
    engine.parameters.catch_sigint_signal = False
    engine.parameters.num_workers = 1
    outcome = engine.solve(model.build(problem))
    if outcome == cp_model.INFEASIBLE:
        return None
    assert outcome == cp_model.OPTIMAL
    solution = model.read(engine.value)
    assert rate_of(problem, solution)[0] <= problem.target
    return score(problem, solution)


@pytest.mark.parametrize("seed", range(300, 330))
def test_the_rows_alone_decide(seed: int) -> None:
    problem = random_sizing(seed)
    assert without_its_floor(problem) == least_cost(problem)


def machine(seed: int, tiles: int = 4) -> Problem:
    """Twelve free counts: queues, units, ports and buffers around loads, products and stores of several tiles."""
    draw = random.Random(seed)
    stations = {"fetch": Station("fetch", 4, 1)}
    stations |= {name: Station(name) for name in ("lq", "cq", "sq", "dma", "array", "out")}
    ports = {name: Port(name) for name in ("read", "write", "dram")}
    locations = {name: Location(name) for name in ("A", "B", "C")}
    body = []
    for tile in range(tiles):
        for name in "AB":
            queue, ports_held = (
                (Step("fetch", 1), Step("lq")),
                (Access("write", 8), Access("dram", draw.randint(4, 12))),
            )
            load = draw.randint(30, 80)
            body.append(Issue(f"load {name}{tile}", queue, "dma", load, load // 2, ports_held, writes=(name,)))
        time = draw.randint(16, 40)
        path = (Step("fetch", 1), Step("cq"))
        reads = (Access("read", 16),)
        body.append(Issue(f"multiply {tile}", path, "array", time + 20, time, reads, ("A", "B"), ("C",)))
        path, stores = (Step("fetch", 1), Step("sq")), (Access("read", 8), Access("dram", 16))
        body.append(Issue(f"store {tile}", path, "out", draw.randint(40, 90), 20, stores, ("C",)))
    program = Program(tuple(body), stations, ports, locations)
    free = [("station", name) for name in ("lq", "cq", "sq", "dma", "array", "out")]
    free += [("port", name) for name in ports] + [("location", name) for name in locations]
    choices = []
    for what, name in free:
        one = draw.randint(50, 900)
        choices.append(Choice(what, name, tuple((count, count * one + draw.randint(0, 40)) for count in (1, 2, 3, 4))))
    problem = Problem(program, tuple(choices), Fraction(10**6))
    slow, fast = (rate_of(problem, Solution((count,) * 12))[0] for count in (1, 4))
    return replace(problem, target=fast + (slow - fast) * Fraction(draw.randint(0, 3), 7))


@pytest.mark.parametrize(("seed", "tiles"), [(2, 4), (5, 4), (11, 4), (0, 12)])
def test_twelve_free_counts_are_proven_in_ten_seconds(seed: int, tiles: int) -> None:
    problem = machine(seed, tiles)
    assert len(problem.choices) == 12
    result = solve(problem, stop=Stop(seconds=60))
    assert result.status is Status.OPTIMAL
    assert result.seconds < 10


def test_a_slower_target_is_no_dearer() -> None:
    for seed in range(12):
        problem = random_sizing(seed)
        rate = problem.target
        costs = [solve(replace(problem, target=rate * Fraction(k, 6))).objective for k in (3, 6, 8, 12)]
        known = [cost for cost in costs if cost is not None]
        assert known == sorted(known, reverse=True)
        assert costs[len(costs) - len(known) :] == known, "feasible from some target on"


@pytest.mark.parametrize("seed", range(8))
def test_a_hint_is_a_solution_of_the_model(seed: int) -> None:
    problem = random_sizing(seed)
    solution = solve(problem).solution
    if solution is None:
        return
    model = KernelSizingCpSat()
    program = model.build(problem)
    model.hint(solution)
    assert sorted(program.proto.solution_hint.vars) == list(range(len(program.proto.variables)))
    engine = cp_model.CpSolver()
    engine.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    engine.parameters.fix_variables_to_their_hinted_value = True
    assert engine.solve(program) == cp_model.OPTIMAL
    assert model.read(engine.value) == solution


def rows_of(model: cp_model.CpModel) -> str:
    """A line for each row: what it holds for, its terms, and its range."""
    names = [variable.name for variable in model.proto.variables]

    def terms(linear: Any) -> str:
        return " ".join(f"{coeff:+d}·{names[v]}" for v, coeff in zip(linear.vars, linear.coeffs, strict=True))

    lines = [f"minimise {terms(model.proto.objective)}"]
    lines += [f"{own.name} in {list(own.domain)}" for own in model.proto.variables]
    for row in model.proto.constraints:
        when = "".join(f"{names[literal]} -> " for literal in row.enforcement_literal)
        if row.has_exactly_one():
            lines.append("exactly one of " + " ".join(names[literal] for literal in row.exactly_one.literals))
        else:
            lines.append(f"{when}{terms(row.linear)} in {list(row.linear.domain)}")
    return "\n".join(lines) + "\n"


def test_golden_model() -> None:
    """Each family of rows once: fixed waits, waits of a count, one count of each, cost; a target of thirds."""
    body = (
        Issue("load", (Step("fetch", 1),), "dma", 4, 2, (Access("bus", 2),), writes=("x",)),
        Issue("use", (Step("fetch", 1),), "array", 3, 3, (Access("bus", 1),), ("x",)),
    )
    stations = {name: Station(name) for name in ("fetch", "dma", "array")}
    program = Program(body, stations, {"bus": Port("bus")}, {"x": Location("x")})
    choices = (
        Choice("station", "fetch", ((1, 1), (2, 2))),
        Choice("port", "bus", ((1, 5), (2, 10))),
        Choice("location", "x", ((1, 7), (2, 14))),
    )
    text = rows_of(KernelSizingCpSat().build(Problem(program, choices, Fraction(13, 3))))
    if os.environ.get("ACCMINE_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_times_and_counts_at_the_end_of_64_bits_are_solved() -> None:
    """Instructions that take longer than anybody plays them, and waits that a target makes nothing of."""
    program = Program((Issue("a", (), "u", 10**8, 10**8),), {"u": Station("u")}, {}, {})
    choices = (Choice("station", "u", ((1, 1), (2, 2), (3, 3))),)
    found = solve(Problem(program, choices, Fraction(10**8, 2)))
    assert (found.status, found.objective) == (Status.OPTIMAL, 2)
    problem = random_sizing(241)
    more = tuple(
        replace(own, costs=(*own.costs, (1 << 20, 50))) if own.what != "station" else own for own in problem.choices
    )
    problem = replace(problem, choices=more, target=problem.target + Fraction(1, 1 << 45))
    assert solve(problem, stop=Stop(seconds=60)).objective == 13
