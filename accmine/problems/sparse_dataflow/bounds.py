"""What is known of a sparse dataflow without search: bounds of the interval, and budgets that nothing meets."""

from __future__ import annotations

from accmine.problems.sparse_dataflow.options import LayerOptions, tabulate
from accmine.problems.sparse_dataflow.problem import Least, Problem, place_of
from accmine.problems.sparse_dataflow.rules import budget_at
from accmine.sparse.folding import DENSE, SPARSE, Folding
from accmine.sparse.layer import PARTS, POINT, Layer
from accmine.sparse.rate import mean_cycles
from accmine.sparse.resources import RESOURCES, used

__all__ = ["bound", "impossible"]


def bound(problem: Problem) -> tuple[int | None, str]:
    """(interval that no design is below, how it is obtained).

    The larger of what the slowest layer takes at least, and of the products that are not zero, in turns of a
    multiplier, over the DSPs: T · DSP ≥ Σ over layers of the least DSP · cycles of a level.
    """
    if problem.least is not None:
        return sum(_least(own, problem.least) or 0 for own in tabulate(problem)), "the least of each layer by itself"
    slowest = max(int(own.cycles.min()) for own in tabulate(problem))
    if problem.budget.dsp is None:
        return slowest, "the fastest folding of each layer by itself"
    work = sum(_work(problem, layer) for layer in problem.layers)
    by_dsp = -(-work // problem.budget.dsp) if problem.budget.dsp else 0
    if by_dsp > slowest:
        return by_dsp, "non-zero products over DSPs"
    return slowest, "the fastest folding of each layer by itself"


def _least(table: LayerOptions, least: Least) -> int | None:
    """What the options of a layer within the interval take at least; ``None``: there is none."""
    fast = table.cycles <= least.interval
    own = table.loss[fast.any(axis=1)] if least.of == "loss" else table.use[fast.any(axis=0), place_of(least)]
    return min(own.tolist(), default=None)


def _work(problem: Problem, layer: Layer) -> int:
    """DSP · cycles that the layer takes at least: of engines with one multiplier, or packed as tightly as possible."""
    found = []
    if SPARSE in problem.engines:
        dsp = used(layer, Folding(SPARSE, 1, 1, 1, 1), problem.model)[0]
        turns = min(
            sum(mean_cycles(own, 1) for own in level.histograms) // len(level.histograms) for level in layer.levels
        )
        found.append(dsp * layer.windows * turns // PARTS)
    if DENSE in problem.engines:
        dsp = used(layer, Folding(DENSE, 1, 1, 1, 12), problem.model)[0]  # 12: a multiple of all packings
        found.append(dsp * layer.windows * layer.window // 12)
    return min(found)


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A single budget that is too small even if every layer takes the least of it, and the least that is enough."""
    tables = tabulate(problem)
    fields: list[str] = []
    remedies: list[str] = []
    slowest = max(int(own.cycles.min()) for own in tables)
    if problem.least is not None and problem.least.interval < slowest:
        return ("least.interval",), (f"least.interval: at least {slowest}",)
    if problem.budget.loss is not None:
        least = sum(int(own.loss.min()) for own in tables)
        if least > problem.budget.loss:
            fields.append("budget.loss")
            remedies.append(f"budget.loss: at least {least / POINT}")
    for i, (name, most) in enumerate(zip(RESOURCES, budget_at(problem, 0), strict=True)):
        least = sum(int(own.use[:, i].min()) for own in tables)
        if name == "bits":  # a rate: however small, it is enough for a long interval
            if problem.budget.bits_per_cycle == 0 and least:
                fields.append("budget.bits_per_cycle")
                remedies.append("budget.bits_per_cycle: more than 0")
        elif most is not None and least > most:
            fields.append(f"budget.{name}")
            remedies.append(f"budget.{name}: at least {least}")
    return (tuple(fields[:1]), tuple(remedies[:1])) if fields else ((), ())
