"""What is known of a kernel sizing without search: waits by count, bounds, and targets that nothing reaches."""

from __future__ import annotations

from fractions import Fraction

from accmine.kernel.graph import Dependence, EventGraph
from accmine.problems.kernel_sizing.problem import WHAT, Choice, Problem, Solution, field_of, rate_of, sized
from accmine.problems.kernel_sizing.waits import slack, slowest_cycle, waits_of, words

__all__ = ["bound", "fixed_and_varying", "impossible", "possible_counts"]


def fixed_and_varying(problem: Problem) -> tuple[EventGraph, list[dict[int, tuple[Dependence, ...]]]]:
    """The waits of every count, and for each choice those that a count adds to them, by count."""
    least = waits_of(problem.program)
    fixed = list(least.dependences)
    varying = []
    for own in problem.choices:
        by_count = {}
        for count in own.counts:
            counts = tuple(count if other is own else other.counts[0] for other in problem.choices)
            graph = waits_of(sized(problem, Solution(counts)))
            by_count[count] = tuple(edge for edge in graph.dependences if _of(edge, own))
        fixed = [edge for edge in fixed if not _of(edge, own)]
        varying.append(by_count)
    return EventGraph(least.events, tuple(fixed)), varying


def _of(edge: Dependence, choice: Choice) -> bool:
    return edge.on == choice.name and edge.rule in WHAT[choice.what][1]


def _relaxed(
    problem: Problem,
) -> tuple[EventGraph, list[dict[int, tuple[Dependence, ...]]]]:
    """Waits that every solution has, and those of single counts; of stations the largest count's.

    Without the waits of other free resources a body is no slower, so that what is too slow here is too slow.
    """
    fixed, varying = fixed_and_varying(problem)
    edges = list(fixed.dependences)
    for own, by_count in zip(problem.choices, varying, strict=True):
        if own.what == "station":
            edges += by_count[own.counts[-1]]
    return EventGraph(fixed.events, tuple(edges)), varying


def possible_counts(problem: Problem) -> list[tuple[int, ...]]:
    """The counts of each choice with which the rate may be kept, whatever the others are, as far as that is simple."""
    base, varying = _relaxed(problem)
    return [
        tuple(
            count
            for count, edges in by_count.items()
            if not slack(EventGraph(base.events, base.dependences + edges), problem.target).cycle
        )
        for by_count in varying
    ]


def bound(problem: Problem) -> tuple[int | None, str]:
    """(sum of the least costs with which each resource by itself allows the rate, how it is obtained)."""
    total = 0
    for own, counts in zip(problem.choices, possible_counts(problem), strict=True):
        if not counts:
            return None, f"no count of {own.name} allows the target"
        total += min(cost for count, cost in own.costs if count in counts)
    return total, "the cheapest count of each resource that allows the target by itself"


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A cycle that is slower than the target whatever is chosen, or a resource of which no count is enough.

    The conflict names the target and the resource; the remedy the rate of the largest counts, the least one that is
    not excluded, and the cycle.
    """
    base, varying = _relaxed(problem)
    rate, cycle = slowest_cycle(base)
    if rate > problem.target:
        return ("target",), _remedy(problem, rate, words(base, cycle))
    for own, by_count in zip(problem.choices, varying, strict=True):
        graphs = [EventGraph(base.events, base.dependences + edges) for edges in by_count.values()]
        if any(not slack(graph, problem.target).cycle for graph in graphs):
            continue
        found = [(*slowest_cycle(graph), graph) for graph in graphs]
        rate, cycle, graph = min(found, key=lambda row: row[0])
        return ("target", field_of(problem, own)), _remedy(problem, rate, words(graph, cycle))
    return (), ()


def _remedy(problem: Problem, least: Fraction, why: str) -> tuple[str, ...]:
    """The target that the largest counts reach, and what every choice needs."""
    reached, _ = rate_of(problem, Solution(tuple(own.counts[-1] for own in problem.choices)))
    beside = "" if reached == least else f"; the largest counts reach {reached}"
    return (f"target: at least {least} cycles per iteration{beside}; {why}",)
