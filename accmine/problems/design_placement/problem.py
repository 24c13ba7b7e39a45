"""Design placement: a chip of a template, and the placement of one model on many such chips, decided together."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from accmine.cost import CostLibrary
from accmine.hardware import Design, Template
from accmine.hardware.technology import Technology
from accmine.problems import operator_schedule
from accmine.problems.device_placement.problem import ORDERS, Pipelining
from accmine.problems.device_placement.problem import Solution as Placement
from accmine.system import Cluster
from accmine.workload.shard import LayerClass, Shard

__all__ = ["KIND", "ModuleSchedule", "Problem", "Solution", "Variant"]

KIND = "design-placement"


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to divide and run the layers of the model: what a placement gives its layers, but for the cut.

    Attributes
    ----------
    microbatch
        Samples that pass through a device together.
    recompute
        ``none``, ``selective`` or ``full``.
    classes
        All layers of the model, by class.
    """

    shard: Shard
    microbatch: int
    recompute: str
    classes: tuple[LayerClass, ...]

    @property
    def layers(self) -> int:
        """Length of the chain."""
        return sum(len(c.layers) for c in self.classes)


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that is given, and what is free to choose.

    Attributes
    ----------
    variants
        Ways to divide and run the model: tensor degrees × microbatches × recompute kinds.
    batch
        Samples of a step.
    devices, cluster
        Chips, and what connects them.
    pipeline, data, orders, pipelinings, zero, gradient_overlap
        As in ``accmine.problems.device_placement.problem.Problem``.
    template, technology, area_mm2, tdp_w
        Chips to choose from, and limits of one chip.
    library
        Costs of all operators of all variants.
    first
        Designs to look at before all others.
    """

    kind: ClassVar[str] = KIND

    variants: tuple[Variant, ...]
    batch: int
    devices: int
    cluster: Cluster
    template: Template
    technology: Technology
    library: CostLibrary
    pipeline: tuple[int, ...] = ()
    data: tuple[int, ...] = ()
    orders: tuple[tuple[str, ...], ...] = (ORDERS[0],)
    pipelinings: tuple[Pipelining, ...] = (Pipelining(),)
    zero: tuple[int, ...] = (0,)
    gradient_overlap: float = 0.0
    area_mm2: float = inf
    tdp_w: float = inf
    first: tuple[Design, ...] = ()


@dataclass(frozen=True, eq=False)
class ModuleSchedule:
    """Schedules of one layer class on the design: ``repeats`` layers of it as one module, per phase.

    A stage of n layers runs n // repeats modules one after the other, and single layers for the rest.
    """

    layer_class: str
    repeats: int
    forward: operator_schedule.Solution
    backward: operator_schedule.Solution
    update: operator_schedule.Solution


@dataclass(frozen=True, eq=False)
class Solution:
    """A design, which variant it runs (by position), the placement, and schedules of all its layer classes."""

    design: Design
    variant: int
    placement: Placement
    schedules: tuple[ModuleSchedule, ...]
