"""The fastest design whose levels are none of those that are known to lose too much: branch and bound over cuts.

The problem has no cuts of its own. A node is the problem with some levels of each layer left; the design of the node
that is fastest by its bound is looked at, and where it is cut, the node is split into the ways out of that cut: one
for each layer, in which that layer leaves the cut and those before it stay inside. So no levels are in two nodes.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from accmine.problems.sparse_dataflow import Choice, Problem, Solution, score, tabulate_from
from accmine.result import Result, Status

__all__ = ["Cut", "Sought", "cut_of", "fastest_outside", "is_cut", "levels_of", "polished", "sparser"]

Cut = tuple[frozenset[int], ...]
"""Of each layer some levels: a design with a level of every one of them is forbidden."""

Levels = tuple[int, ...]
"""A level of each layer."""

Ask = Callable[[Problem, float], Result[Solution]]
"""Solves a problem within so many seconds."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What was found outside of cuts.

    Attributes
    ----------
    solution
        The fastest that was found; ``None``: none.
    bound
        No design outside of the cuts has a shorter interval; ``None``: there is no design outside of them.
    complete
        Whether the search came to its end: the solution is optimal, or none is proven.
    solves
        Problems that were solved.
    """

    solution: Solution | None
    bound: int | None
    complete: bool
    solves: int


def levels_of(solution: Solution) -> Levels:
    """The level of each layer."""
    return tuple(choice.level for choice in solution)


def sparser(problem: Problem, layer: int, level: int) -> frozenset[int]:
    """Levels of a layer that are at least as sparse as one of them, and of at least its loss; itself included."""
    own = problem.layers[layer].levels
    density, loss = own[level].density, own[level].loss
    return frozenset(i for i, other in enumerate(own) if other.density <= density and other.loss >= loss)


def cut_of(problem: Problem, levels: Levels, *, monotone: bool) -> Cut:
    """What is forbidden once levels are known to lose too much.

    Parameters
    ----------
    problem
        With the losses that were given: corrected ones would say which levels are more lossy by what is assumed.
    monotone
        Whether all that are at least as sparse in every layer lose too much as well; otherwise exactly these.
    """
    if not monotone:
        return tuple(frozenset([level]) for level in levels)
    return tuple(sparser(problem, i, level) for i, level in enumerate(levels))


def is_cut(levels: Levels, cuts: Sequence[Cut]) -> Cut | None:
    """The first cut that forbids levels."""
    return next((cut for cut in cuts if all(a in own for a, own in zip(levels, cut, strict=True))), None)


def polished(problem: Problem, solution: Solution) -> Solution:
    """The same foldings with the least lossy level of each layer that keeps the interval; the densest of equal ones.

    Resources are those of foldings alone, so nothing else changes.
    """
    interval, choices = score(problem, solution), list(solution.choices)
    for i, layer in enumerate(problem.layers):
        order = sorted(range(len(layer.levels)), key=lambda v: (layer.levels[v].loss, -layer.levels[v].density, v))
        for level in order:
            tried = [*choices[:i], Choice(level, choices[i].folding), *choices[i + 1 :]]
            if score(problem, Solution(tuple(tried))) <= interval:
                choices = tried
                break
    return Solution(tuple(choices))


def _restricted(problem: Problem, allowed: Cut) -> Problem:
    layers = zip(problem.layers, allowed, strict=True)
    found = replace(
        problem, layers=tuple(replace(own, levels=tuple(own.levels[v] for v in sorted(of))) for own, of in layers)
    )
    tabulate_from(found, problem, [sorted(of) for of in allowed])
    return found


def _as_given(solution: Solution, allowed: Cut) -> Solution:
    pairs = zip(solution.choices, allowed, strict=True)
    return Solution(tuple(Choice(sorted(own)[choice.level], choice.folding) for choice, own in pairs))


def _ways_out(allowed: Cut, cut: Cut) -> list[Cut]:
    found, inside = [], list(allowed)
    for i, own in enumerate(cut):
        if left := allowed[i] - own:
            found.append((*inside[:i], left, *allowed[i + 1 :]))
        inside[i] = allowed[i] & own
    return found


def fastest_outside(
    problem: Problem, cuts: Sequence[Cut], ask: Ask, seconds: float, among: Cut | None = None
) -> Sought:
    """The design of a problem with the shortest interval that no cut forbids.

    Parameters
    ----------
    ask
        Solves a problem with some of the levels.
    seconds
        Limit of all of it.
    among
        Levels of each layer that are left; default: all.

    Raises
    ------
    KeyboardInterrupt
        If a solver was interrupted.
    """
    until, turn = time.monotonic() + seconds, itertools.count()
    every = among or tuple(frozenset(range(len(layer.levels))) for layer in problem.layers)
    nodes: list[tuple[int, int, Cut, Solution | None]] = [(0, next(turn), every, None)]
    best: Solution | None = None
    lost: list[int] = []  # bounds of nodes of which time left no solution
    solves = 0
    while nodes:
        bound, _, allowed, solution = nodes[0]
        if lost and min(lost) <= bound:
            break
        heapq.heappop(nodes)
        if solution is not None:
            cut = is_cut(levels_of(solution), cuts)
            if cut is None:
                return Sought(solution, bound, bound >= score(problem, solution), solves)
            for out in _ways_out(allowed, cut):
                heapq.heappush(nodes, (bound, next(turn), out, None))
            continue
        if (left := until - time.monotonic()) <= 0 and solves:
            lost.append(bound)
            continue
        result = ask(_restricted(problem, allowed), max(0.0, left))
        solves += 1
        if result.interrupted:
            raise KeyboardInterrupt
        if result.status is Status.INFEASIBLE:
            continue
        own = max(bound, int(result.bound or 0))
        if result.solution is None:
            lost.append(own)
            continue
        found = _as_given(result.solution, allowed)
        if is_cut(levels_of(found), cuts) is None and (best is None or score(problem, found) < score(problem, best)):
            best = found
        heapq.heappush(nodes, (own, next(turn), allowed, found))
    reached = [*lost, *(node[0] for node in nodes)]
    return Sought(best, min(reached) if reached else None, not reached, solves)
