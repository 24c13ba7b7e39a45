"""What a design is worth, what it takes, and everything that is wrong with it: one layer after the other, exactly.

Shares nothing with the tables that solvers search (``accmine.problems.sparse_dataflow.options``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor

from accmine.problems.sparse_dataflow.problem import MOST, Choice, Problem, Solution, place_of
from accmine.sparse.folding import DENSE, Folding, wrong_folding
from accmine.sparse.layer import POINT, Layer
from accmine.sparse.rate import cycles, stream_cycles
from accmine.sparse.resources import RESOURCES, Use, adapter, used

__all__ = [
    "LayerRow",
    "band_of",
    "budget_at",
    "check",
    "explain",
    "interval_of",
    "loss_of",
    "score",
    "use_of",
]


def score(problem: Problem, solution: Solution) -> int:
    """The interval, or what the problem minimises in place of it."""
    if problem.least is None:
        return interval_of(problem, solution)
    return (*use_of(problem, solution), loss_of(problem, solution))[place_of(problem.least)]


def interval_of(problem: Problem, solution: Solution) -> int:
    """The interval: cycles of the slowest layer, or of the off-chip weights, which are a stage of the pipeline too."""
    slowest = max(cycles(layer, layer.levels[own.level], own.folding) for layer, own in _pairs(problem, solution))
    rate = problem.budget.bits_per_cycle
    if not rate:
        return slowest
    bits = sum(used(layer, own.folding, problem.model)[-1] for layer, own in _pairs(problem, solution))
    return max(slowest, -int(-bits / rate // 1))


def _pairs(problem: Problem, solution: Solution) -> Iterator[tuple[Layer, Choice]]:
    yield from zip(problem.layers, solution.choices, strict=True)


def use_of(problem: Problem, solution: Solution) -> Use:
    """What all layers and adapters take, in the order of ``RESOURCES``."""
    rows = [used(layer, own.folding, problem.model) for layer, own in _pairs(problem, solution)]
    total = [sum(column) for column in zip(*rows, strict=True)]
    for source, target in problem.edges:
        given = solution.choices[source].folding.streams_out
        taken = solution.choices[target].folding.streams_in(problem.layers[target])
        for i, value in zip((1, 2), adapter(given, taken, problem.model), strict=True):
            total[i] += value
    dsp, lut, ff, bram18, uram, bits = total
    return dsp, lut, ff, bram18, uram, bits


def band_of(problem: Problem, solution: Solution) -> dict[str, tuple[int, int]]:
    """(least, most) LUTs and FFs that a synthesised design may take: those of the model times its band, by name.

    An estimate of the estimate: see ``accmine.sparse.engine.EngineModel``. Other resources have no band.
    """
    least, most = problem.model.band
    use = dict(zip(RESOURCES, use_of(problem, solution), strict=True))
    return {name: (floor(use[name] * least), ceil(use[name] * most)) for name in ("lut", "ff")}


def loss_of(problem: Problem, solution: Solution) -> int:
    """Sum of the losses of the chosen levels, in parts of ``POINT``."""
    return sum(layer.levels[own.level].loss for layer, own in _pairs(problem, solution))


def budget_at(problem: Problem, interval: int) -> tuple[int | None, ...]:
    """Limits in the order of ``RESOURCES`` of a design with an interval: off-chip bits are a rate.

    At most ``MOST``, so that arrays of them hold every limit.
    """
    own = problem.budget
    bits = None if own.bits_per_cycle is None else int(own.bits_per_cycle * interval)
    return tuple(
        None if most is None else min(most, MOST) for most in (own.dsp, own.lut, own.ff, own.bram18, own.uram, bits)
    )


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a solution, in words; empty when it is valid."""
    if len(solution.choices) != len(problem.layers):
        return (f"{len(solution.choices)} choices for {len(problem.layers)} layers",)
    wrong = []
    for layer, own in _pairs(problem, solution):
        if not 0 <= own.level < len(layer.levels):
            wrong.append(f"{layer.name}: level {own.level} is not there; 0 to {len(layer.levels) - 1}")
        wrong += wrong_folding(layer, own.folding)
        for key, allowed in (("engine", problem.engines), ("memory", problem.memories)):
            if getattr(own.folding, key) not in allowed:
                wrong.append(f"{layer.name}: {key} {getattr(own.folding, key)} is not among {', '.join(allowed)}")
        if own.folding.engine != DENSE and own.folding.slack not in problem.slacks:
            wrong.append(f"{layer.name}: slack {own.folding.slack} is not among {problem.slacks}")
    if wrong:
        return tuple(wrong)
    interval = interval_of(problem, solution)
    if problem.least is not None and interval > problem.least.interval:
        wrong.append(f"the interval is {interval} cycles, at most {problem.least.interval} are allowed")
    limits = budget_at(problem, interval)
    for name, value, most in zip(RESOURCES, use_of(problem, solution), limits, strict=True):
        if most is not None and value > most:
            wrong.append(f"{value} {name} are used, {most} are there")
    loss, most = loss_of(problem, solution), problem.budget.loss
    if most is not None and loss > most:
        wrong.append(f"loss is {loss / POINT}, at most {most / POINT} is allowed")
    return tuple(wrong)


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer of a design.

    Attributes
    ----------
    cycles, streams
        Cycles between two images, and those that its words take alone.
    binds
        ``windows`` or ``streams``, whichever takes longer.
    use
        Without adapters.
    """

    name: str
    level: str
    folding: Folding
    cycles: int
    streams: int
    binds: str
    use: Use
    loss: int


def explain(problem: Problem, solution: Solution) -> tuple[LayerRow, ...]:
    """Each layer with its cycles and what they come from."""
    rows = []
    for layer, own in _pairs(problem, solution):
        level = layer.levels[own.level]
        total, streams = cycles(layer, level, own.folding), stream_cycles(layer, own.folding)
        binds = "streams" if total == streams else "windows"
        use = used(layer, own.folding, problem.model)
        rows.append(LayerRow(layer.name, level.name, own.folding, total, streams, binds, use, level.loss))
    return tuple(rows)
