"""Bounds of the times of layers on every design of a template at once, valid for any number of layers of a class.

For n layers of one class in a stage, however they are scheduled, with L(·) a bound of one graph from
``accmine.problems.design_search.space_bound``:

- *forward* and *backward*: n · max(work terms of the layer, L(serial part)). Core time and bytes add up. The serial
  part of a pass is what can only run between what enters the layer and what leaves it: before no other layer of the
  stage has begun its own, or after it has ended it. Weight gradients are not in it, they may run beside the next layer;
- *update*: work terms, which add up.

Of a class with one layer everything is serial. Times are in seconds, and lowered by more than the error of their
floating-point operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from accmine.problems import design_search
from accmine.problems.design_placement.problem import Problem
from accmine.problems.design_placement.times import microbatches_of
from accmine.problems.design_placement.work_terms import operator_counts, peak_rates, term_seconds, work_rates
from accmine.problems.design_search.space_bound import Block, batches, blocks, phase_bounds_of
from accmine.workload import PhaseRun, Task
from accmine.workload.graph import Operator
from accmine.workload.shard import LayerClass

__all__ = [
    "BACKWARD",
    "FORWARD",
    "SAFE",
    "UPDATE",
    "Classes",
    "bound",
    "classes_of",
    "layer_seconds",
    "peak_seconds",
    "search_problem",
    "serial_part",
    "shared_seconds",
]

FloatArray = npt.NDArray[np.float64]

FORWARD, BACKWARD, UPDATE = range(3)
"""Rows of the times of a class."""

SAFE = 1 - 1e-10
"""Sums of thousands of floating-point terms are lowered by more than their error before they are compared."""


@dataclass(frozen=True, eq=False)
class Classes:
    """The layer classes of some variants, equal ones once.

    Attributes
    ----------
    work
        One task per class with its passes: forward, backward, update.
    serial
        One task per class with the serial parts of forward and backward pass.
    at
        For each variant the task of each of its classes.
    """

    work: design_search.Problem
    serial: design_search.Problem
    at: tuple[tuple[int, ...], ...]

    @cached_property
    def counts(self) -> FloatArray:
        """Operators of each work in each pass of each task; shape (tasks, 3, works)."""
        return operator_counts(self.work.library, self.work.tasks)

    def weights(self, problem: Problem) -> FloatArray:
        """Layers of each task in each variant; shape (variants, tasks)."""
        found = np.zeros((len(self.at), len(self.work.tasks)))
        for row, variant, at in zip(found, problem.variants, self.at, strict=True):
            np.add.at(row, list(at), [len(c.layers) for c in variant.classes])
        return found


def classes_of(problem: Problem, variants: Sequence[int] | None = None) -> Classes:
    """The classes of ``variants`` (default: all) as tasks of design searches within the limits of one chip."""
    chosen = range(len(problem.variants)) if variants is None else variants
    tasks: list[Task] = []
    serial: list[Task] = []
    known: dict[object, int] = {}
    at: list[tuple[int, ...]] = []
    for v in chosen:
        row = []
        for layer_class in problem.variants[v].classes:
            task, line = _tasks(layer_class)
            row.append(known.setdefault((task.signature, line.signature), len(tasks)))
            if row[-1] == len(tasks):
                tasks.append(task)
                serial.append(line)
        at.append(tuple(row))
    return Classes(search_problem(problem, tasks), search_problem(problem, serial), tuple(at))


@lru_cache(maxsize=1024)
def _tasks(layer_class: LayerClass) -> tuple[Task, Task]:
    c = layer_class
    graphs = {"forward": c.forward, "backward": c.backward, "update": c.update}
    passes = tuple(PhaseRun(name, graph, 1) for name, graph in graphs.items())
    lines = tuple(PhaseRun(name, graphs[name].select(serial_part(c, name)), 1) for name in ("forward", "backward"))
    return Task(c.name, c.name, passes, 1, 0), Task(c.name, c.name, lines, 1, 0)


def serial_part(layer_class: LayerClass, phase: Literal["forward", "backward"]) -> list[int]:
    """Operators of a pass that run between what enters a layer and what leaves it, as positions in the pass."""
    c = layer_class
    graph = c.forward if phase == "forward" else c.backward
    if len(c.layers) == 1:
        return list(range(len(graph)))
    ends = (c.enters, c.leaves) if phase == "forward" else (c.gradients_enter, c.gradients_leave)
    entering, leaving = ({c.training.tensors[t].name for t in tensors} for tensors in ends)
    gated = {c.training.operators[i].name for i in c.waiting}
    edges = graph.edges.tolist()

    def touches(operator: Operator, tensors: Sequence[int], names: set[str]) -> bool:
        return any(graph.tensors[t].name in names for t in tensors)

    behind = {i for i, o in enumerate(graph.operators) if o.name in gated or touches(o, o.inputs, entering)}
    for a, b in edges:  # sorted, and operators stand in topological order
        if a in behind:
            behind.add(b)
    before = {i for i, o in enumerate(graph.operators) if touches(o, o.outputs, leaving)}
    for a, b in reversed(edges):
        if b in before:
            before.add(a)
    return sorted(behind & before)


def search_problem(problem: Problem, tasks: Sequence[Task]) -> design_search.Problem:
    """The designs of ``problem`` as a design search; its objective is of no meaning."""
    return design_search.Problem(
        tasks=tuple(tasks),
        reference_s=(1.0,) * len(tasks),
        weights=(1.0,) * len(tasks),
        template=problem.template,
        technology=problem.technology,
        library=problem.library,
        area_mm2=problem.area_mm2,
        tdp_w=problem.tdp_w,
    )


def peak_seconds(classes: Classes, block: Block) -> FloatArray:
    """As ``layer_seconds`` from the peaks of the machine alone; nothing where operators are measured."""
    rates = peak_rates(classes.work.library, block.types)
    found = term_seconds(classes.counts, block, np.zeros((classes.counts.shape[2], 3)) if rates is None else rates)
    return SAFE * found


def layer_seconds(classes: Classes, several: Sequence[Block], *, paths: bool) -> list[FloatArray]:
    """Bounds of forward, backward and update of one layer of each task on the feasible designs of each block.

    Parameters
    ----------
    paths
        Add longest paths and barriers, which cost passes over the graphs.

    Returns
    -------
    list of FloatArray
        Of each block, shape (tasks, 3, feasible designs), in the order of ``flatnonzero(block.fits)``.
    """
    found = [term_seconds(classes.counts, block, work_rates(classes.work.library, block.types)) for block in several]
    if paths:
        lines = phase_bounds_of(classes.serial, several, paths=True)
        for block, rows, line in zip(several, found, lines, strict=True):
            keep = np.flatnonzero(block.fits)
            serial = np.array([[phase.ravel()[keep] for phase in row] for row in line])
            rows[:, :UPDATE] = np.maximum(rows[:, :UPDATE], serial)
    return [SAFE * rows for rows in found]


def shared_seconds(problem: Problem, classes: Classes, rows: FloatArray) -> FloatArray:
    """What no step of each variant is below, whatever its plan: all work on all devices; shape (variants, designs).

    With d replicas of p stages of t devices, m microbatches and the whole pass T, a step takes m T / p or more, and
    d p t ≤ devices.
    """
    passes = SAFE * (classes.weights(problem) @ rows[:, :UPDATE].sum(axis=1))
    shares = [max(microbatches_of(problem, v) * v.shard.tensor / problem.devices, 1.0) for v in problem.variants]
    return np.asarray(np.array(shares)[:, None] * passes)


def bound(problem: Problem) -> tuple[float | None, str]:
    """(seconds that no step is below, how it is proved): the work of all microbatches on all devices."""
    classes, least = classes_of(problem), inf
    for several in batches(list(blocks(classes.work))):
        for rows in layer_seconds(classes, several, paths=False):
            least = min(least, float(shared_seconds(problem, classes, rows).min()))
    return (None, "no design meets the limits") if least == inf else (least, "work of all microbatches on all devices")
