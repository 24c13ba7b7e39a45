"""Modules between barriers and the targets they give."""

from __future__ import annotations

import numpy as np

from accmine.problems.operator_schedule import Problem, check, heads, objective, order, tails
from accmine.solvers.operator_schedule.insertion import Inserter
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from accmine.solvers.operator_schedule.module_schedule import Module, Modules, modules, schedule_module, targets
from tests.samples.graph_sample import every, layers, renamed, unit


def find(problem: Problem) -> Modules | None:
    return modules(problem, heads(problem), tails(problem))


def test_layers_are_equal_modules() -> None:
    problem = layers(5, 6, (2, 2))
    found = find(problem)
    assert found is not None
    inside = [part for part in found.chain if isinstance(part, Module)]
    assert [len(part.operations) for part in inside] == [18] * 5
    assert found.distinct == 1
    names = {problem.names[i] for i in np.flatnonzero(~found.critical)}
    assert names == {f"0.{k}.dw" for k in range(4)} | {f"{k}.update" for k in range(4)}


def test_barriers_are_comparable_with_all_others_of_the_chain() -> None:
    seen = 0
    for problem in (*every(range(20), 30), *(renamed(layers(3, 4, (2, 2)), s) for s in range(5))):
        found = find(problem)
        if found is None:
            continue
        above: list[set[int]] = [set() for _ in range(len(problem))]
        line = order(problem)
        for i in line.sequence:
            if found.critical[i]:
                # Through critical operations alone: what has slack is not part of the chain.
                above[i] = {j for j in line.predecessors[i] if found.critical[j]}
                above[i] |= {a for j in list(above[i]) for a in above[j]}
        chain = np.flatnonzero(found.critical).tolist()
        for part in found.chain:
            if isinstance(part, int):
                assert all(i == part or i in above[part] or part in above[i] for i in chain)
                seen += 1
        members = [i for p in found.chain for i in (p.operations.tolist() if isinstance(p, Module) else [p])]
        assert sorted(members) == chain
    assert seen > 20


def test_modules_keep_the_precedences_inside() -> None:
    problem = layers(2, 3, (2, 2))
    found = find(problem)
    assert found is not None
    for part in found.chain:
        if isinstance(part, Module):
            inside = {(part.problem.names[a], part.problem.names[b]) for a, b in part.problem.edges.tolist()}
            own = set(part.operations.tolist())
            expected = {
                (problem.names[a], problem.names[b]) for a, b in problem.edges.tolist() if a in own and b in own
            }
            assert inside == expected


def test_the_schedule_of_a_module_is_valid_and_no_worse_than_a_list_schedule() -> None:
    for problem in every(range(15), 20):
        solution = schedule_module(problem)
        assert check(problem, solution) == ()
        lists = ListScheduler(problem)
        assert objective(problem, solution) <= min(objective(problem, lists.run(reverse=r)) for r in (True, False))


def test_targets_are_a_schedule_of_the_critical_part() -> None:
    problem = layers(4, 5, (2, 1))
    found = find(problem)
    assert found is not None
    calls: list[bytes] = []

    def decide(module: Module):  # type: ignore[no-untyped-def]
        calls.append(module.key)
        return schedule_module(module.problem)

    start, mode = targets(found, problem, decide)
    assert len(calls) == 4
    inside = np.concatenate([part.operations for part in found.chain if isinstance(part, Module)])
    assert sorted(np.flatnonzero(mode >= 0).tolist()) == sorted(inside.tolist())
    # Inserted in that order nothing starts later, and what has slack fills the gaps.
    key = np.where(found.critical, 10**6 - start, 0)
    solution = Inserter(problem).run(key)
    assert check(problem, solution) == ()
    assert (solution.start[found.critical] <= start[found.critical]).all()


def test_graphs_without_structure_have_no_modules() -> None:
    assert find(unit(0, 2)) is None
    assert find(layers(1, 1, (1, 1))) is None
