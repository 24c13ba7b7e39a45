"""What a simulation says against a rate: instructions that are late, or a cycle of waits that is passed faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from accmine.kernel.graph import Dependence, EventGraph
from accmine.kernel.program import Program, Repeat
from accmine.kernel.simulator import simulate
from accmine.problems.kernel_sizing.waits import slack

__all__ = ["contradiction"]

_SIMULATED = 400
"""Instructions of a simulation; more where a cycle of waits goes back further."""

_MOST_SIMULATED = 20_000


def contradiction(program: Program, graph: EventGraph, rate: Fraction, cycle: Sequence[Dependence] = ()) -> str:
    """What a simulation of a flat body shows that a rate does not allow; empty where it agrees.

    Parameters
    ----------
    graph
        Its ``waits_of``.
    rate
        Cycles per iteration that the body keeps. With u ≥ 0 of ``slack`` in cycles no event of iteration k is later
        than u + k · rate; one that is proves a wait missing.
    cycle
        Of the graph, as slow as the rate: a wait of it that is not kept proves that the body is faster.
    """
    length = len(program.body)
    back = sum(own.distance for own in cycle)
    iterations = max(3, min(max(_SIMULATED, 2 * back * length), _MOST_SIMULATED) // length)
    whole = replace(program, body=(Repeat(iterations, program.body),))
    seen = simulate(whole, most_instructions=iterations * length, most_cycles=1 << 62)  # cycles cost nothing
    potentials = slack(graph, rate).potentials
    times = [
        [time for i in range(length) for time in (*row[i].enter, row[i].start)]
        for row in (seen.passages[k * length : (k + 1) * length] for k in range(iterations))
    ]
    for k, row in enumerate(times):
        for event, time in enumerate(row):
            if time * rate.denominator > potentials[event] + k * rate.numerator:
                own = graph.events[event]
                return f"{own.label} of iteration {k} {own.what}s {own.at} at {time} in a simulation: late"
        for wait in cycle:
            earlier = k - wait.distance
            if earlier >= 0 and row[wait.target] < times[earlier][wait.source] + wait.weight:
                label = graph.events[wait.target].label
                return f"{label} of iteration {k} does not wait for {wait.on} in a simulation ({wait.rule}): early"
    return ""
