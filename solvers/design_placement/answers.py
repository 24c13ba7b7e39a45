"""Answers on a design with a variant: schedules of modules of layers, and the placement that suits their times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.ports import Clock
from accmine.problems import device_placement, operator_schedule
from accmine.problems.design_placement import ModuleSchedule, Problem, Solution, module_graphs
from accmine.problems.design_placement.cut_bounds import Pairs, cut_bounds, reached
from accmine.problems.design_placement.layer_bounds import serial_part
from accmine.problems.design_placement.plan_bounds import Plans
from accmine.problems.design_placement.plans import Terms
from accmine.problems.design_search.lowering import lower
from accmine.record import Record
from accmine.registry import make_solver
from accmine.system import step_time
from accmine.workload.shard import LayerClass

from ..design_search.evaluator import PASSES
from ..operator_schedule.critical_path import quick
from .key import chain_of, chained_of, pairs_of
from .key import reach as _reach

__all__ = ["Module", "Modules", "placement_of", "placements", "scheduled", "seconds_of", "solution_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MORE = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""Limits above the bound within which walks make cuts."""


@dataclass(frozen=True, eq=False)
class Module:
    """So many layers of a class on a design: the best schedule of each phase, and what is proven of it.

    Attributes
    ----------
    cycles, bounds
        Makespans, and what no schedule is below; by phase.
    """

    schedules: tuple[operator_schedule.Solution, ...]
    cycles: tuple[int, ...]
    bounds: tuple[int, ...]


Modules = dict[tuple[str, int], Module]
"""By class and number of layers."""


def scheduled(
    problem: Problem,
    design: Design,
    layer_class: LayerClass,
    repeats: int,
    known: Module | None,
    clock: Clock,
    seed: int,
) -> Module:
    """A module scheduled: by lists, and where the clock leaves time by all that ``auto`` knows."""
    parts = []
    graphs = module_graphs(layer_class, repeats)
    for phase, graph in enumerate(graphs):
        part = lower(graph, problem.library, design).problem
        if known is None:
            start = quick(part, PASSES)
            cycles, bound = operator_schedule.objective(part, start), operator_schedule.bound(part)[0]
        else:
            start, cycles, bound = known.schedules[phase], known.cycles[phase], known.bounds[phase]
        if cycles > bound and clock.left() > 0 and phase < 2:
            share = clock.part(0.3 if phase == 0 else 1.0)
            record = Record[operator_schedule.Solution](part, share.stop(), seed=seed, hint=start, solver="auto")
            make_solver(operator_schedule.KIND, "auto").search(record)
            assert record.best is not None
            start, cycles = record.best, int(record.score)
            bound = max(bound, int(record.bound or 0))
        parts.append((start, cycles, bound))
    return Module(tuple(p[0] for p in parts), tuple(p[1] for p in parts), tuple(p[2] for p in parts))


def seconds_of(terms: Terms, modules: Modules, design: Design) -> FloatArray:
    """Seconds per layer of the fastest module of each class; shape (classes, 3)."""
    rows = np.full((len(terms.variant.classes), 3), inf)
    for c, layer_class in enumerate(terms.variant.classes):
        for (name, repeats), module in modules.items():
            if name == layer_class.name:
                each = np.array(module.cycles) / np.array([repeats, repeats, 1]) / design.frequency_hz
                rows[c] = np.minimum(rows[c], each)
    return rows


def proven_seconds(terms: Terms, modules: Modules, design: Design) -> FloatArray:
    """Bounds of one layer of each class that hold for any number of them; shape (classes, 3).

    Those of single layers: of a pass all of which is serial, or of a class with one layer.
    """
    rows = np.zeros((len(terms.variant.classes), 3))
    for c, layer_class in enumerate(terms.variant.classes):
        module = modules.get((layer_class.name, 1))
        if module is None:
            continue
        passes: tuple[Literal["forward", "backward"], ...] = ("forward", "backward")
        for phase, name in enumerate(passes):
            graph = layer_class.forward if phase == 0 else layer_class.backward
            if len(serial_part(layer_class, name)) == len(graph):
                rows[c, phase] = module.bounds[phase] / design.frequency_hz
    return rows


@dataclass(frozen=True, eq=False)
class Placed:
    """A placement, and its step if every layer takes what its class does on average."""

    placement: device_placement.Solution
    step_s: float


def placements(
    terms: Terms, plans: Plans, seconds: FloatArray, hbm_bytes: int, upper: float, most: int
) -> list[Placed]:
    """Placements for some times of layers that may be below ``upper``, best first: one of each of some plans."""
    at = np.flatnonzero(chained_of(terms, plans))
    if not len(at):
        return []
    chained = plans.take(at)
    pairs = pairs_of(terms, chained, seconds, hbm_bytes)
    limits = cut_bounds(pairs, np.zeros(len(at)), upper)
    found = []
    for i in np.argsort(limits, kind="stable")[:most].tolist():
        if limits[i] == inf:
            break
        one = np.array([i])
        cuts = _cuts(terms, chained.take(one), pairs.take(one), seconds, hbm_bytes, float(limits[i]))
        if cuts:
            found.append(_best_cut(terms, chained.take(one), seconds, cuts))
    return sorted(found, key=lambda placed: placed.step_s)


def _cuts(
    terms: Terms, plan: Plans, pair: Pairs, seconds: FloatArray, hbm_bytes: int, limit: float
) -> list[tuple[int, ...]]:
    """First layers of stages: those of the least chain, of equal loads, and of walks through stages within some limits.

    With few microbatches chains alone leave early stages longer than the others, for which all of them then wait.
    """
    _, least = chain_of(terms, plan, seconds, hbm_bytes)
    p, reach = int(plan.stages[0]), _reach(terms, plan, hbm_bytes)
    equal = _equal_loads(terms, plan, seconds, reach)
    found = [cut for cut in (least, equal) if cut is not None]
    for more in _MORE:
        layers, rows = reached(pair, np.array([limit * (1 + more)]), cuts=True)
        if layers[0] == terms.variant.layers:
            firsts = (0, *rows[: p - 1, 0].tolist())
            ends = (*firsts[1:], terms.variant.layers)
            if all(end <= reach[p - s - 1][first] for s, (first, end) in enumerate(zip(firsts, ends, strict=True))):
                found.append(firsts)
    return list(dict.fromkeys(found))


def _equal_loads(terms: Terms, plan: Plans, seconds: FloatArray, reach: IntArray) -> tuple[int, ...] | None:
    """First layers of the stages whose fullest has the least time, as far as memory allows."""
    kinds = np.repeat([kind for kind, _ in terms.runs], [n for _, n in terms.runs])
    each = seconds[kinds, 0] + seconds[kinds, 1] + plan.collective_s[0, kinds].sum(axis=1)
    total = np.concatenate([[0.0], np.cumsum(each)])
    count, p = len(kinds), int(plan.stages[0])
    load = total[None, :] - total[:count, None]  # [first layer, layer behind the last]
    behind = np.arange(count + 1)[None, :]
    fullest, ends = np.where(np.arange(count + 1) == count, 0.0, inf), []
    for r in range(1, p + 1):  # the r-th stage from the end
        rows = np.where((behind > np.arange(count)[:, None]) & (behind <= reach[r - 1][:, None]), load, inf)
        rows = np.maximum(rows, fullest[None, :])
        ends.append(rows.argmin(axis=1))
        fullest = np.append(rows.min(axis=1), inf)
    if fullest[0] == inf:
        return None
    firsts = [0]
    for r in range(p, 1, -1):
        firsts.append(int(ends[r - 1][firsts[-1]]))
    return tuple(firsts)


def _best_cut(terms: Terms, plan: Plans, seconds: FloatArray, cuts: Sequence[tuple[int, ...]]) -> Placed:
    """The cut of shortest simulated step."""
    kinds = np.repeat([kind for kind, _ in terms.runs], [n for _, n in terms.runs])
    each = np.stack(
        [
            seconds[kinds, 0] + plan.collective_s[0, kinds, 0],
            seconds[kinds, 1] + plan.collective_s[0, kinds, 1],
            seconds[kinds, 2] / plan.shards[0] + plan.gradient_s[0, kinds],
        ]
    )
    total = np.concatenate([np.zeros((3, 1)), np.cumsum(each, axis=1)], axis=1)
    edges = np.array([[*cut, len(kinds)] for cut in cuts])  # (cuts, stages + 1)
    stages = np.diff(total[:, edges], axis=2)  # (3, cuts, stages)
    messages = terms.boundaries(plan)
    p = int(plan.stages[0])
    sent = [messages[p - 2 - k][edges[:, k + 1]] for k in range(p - 1)]
    schedule = terms.problem.pipelinings[int(plan.pipelining[0])].schedule
    rows = [[np.ascontiguousarray(stages[phase][:, s]) for s in range(p)] for phase in range(3)]
    steps = np.atleast_1d(step_time(schedule, rows[0], rows[1], rows[2], sent, int(plan.microbatches[0])))
    best = int(steps.argmin())
    return Placed(placement_of(terms, plan, cuts[best]), float(steps[best]))


def placement_of(terms: Terms, plan: Plans, firsts: Sequence[int]) -> device_placement.Solution:
    """The placement of a plan with stages that begin at these layers."""
    ends = [*firsts[1:], terms.variant.layers]
    tensor, recompute = terms.variant.shard.tensor, terms.variant.recompute
    return device_placement.Solution(
        stages=tuple(
            device_placement.StagePlan(tuple(range(a, b)), tensor, recompute) for a, b in zip(firsts, ends, strict=True)
        ),
        data=int(plan.data[0]),
        order=terms.problem.orders[int(plan.order[0])],
        pipelining=terms.problem.pipelinings[int(plan.pipelining[0])],
        zero=terms.problem.zero[int(plan.zero[0])],
    )


def solution_of(
    design: Design, variant: int, placement: device_placement.Solution, modules: Mapping[tuple[str, int], Module]
) -> Solution:
    """The solution with all schedules there are."""
    return Solution(
        design,
        variant,
        placement,
        tuple(ModuleSchedule(name, repeats, *module.schedules) for (name, repeats), module in modules.items()),
    )
