"""What is exported of a run: its designs, and for each the operators that take most of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from accmine.cost import CostLibrary, array_cycles, best_dataflow, pace, resolve_timing
from accmine.errors import InputError
from accmine.hardware import Design, load_accelerator
from accmine.hardware.technology import Technology
from accmine.plan import PipelinePlan, Plan, plan_of
from accmine.questions.run.folder import RunFolder
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.record import Outcome
from accmine.study import load_study
from accmine.workload import Task
from accmine.workload.work import Work

__all__ = ["LONGEST", "ExportedOperator", "RunAnswer", "Winner", "longest", "read_run"]

LONGEST = 10
"""Operators that are exported of each design."""


@dataclass(frozen=True)
class ExportedOperator:
    """Equal operators of a step on a design.

    Attributes
    ----------
    name
        Of the first of them; ``label`` is the name in the files of other tools.
    work
        What they cost any hardware.
    runs
        How many of them a step runs: all phases with their repeats, over all devices of the design.
    cores
        Cores of each kind that the fastest mode holds.
    duration_cycles
        Cycles of that mode with all of the HBM bandwidth.
    dataflow
        What the array keeps in place; of a flexible array the best for this product.
    array_cycles
        Cycles of the whole product on one core's array under the timing of the study; 0 without a product.
    """

    name: str
    label: str
    work: Work
    runs: int
    cores: int
    duration_cycles: int
    dataflow: str
    array_cycles: int

    @property
    def step_cycles(self) -> int:
        """Cycles of a step if these operators ran one after the other."""
        return self.runs * self.duration_cycles

    @property
    def is_im2col(self) -> bool:
        """Whether an operand is an image behind its im2col matrix."""
        gemm = self.work.gemm
        if gemm is None:
            return False
        sizes = (gemm.m * gemm.k, gemm.k * gemm.n, gemm.m * gemm.n)
        return (gemm.a_elements, gemm.b_elements, gemm.c_elements) != tuple(gemm.batch * size for size in sizes)


@dataclass(frozen=True)
class Winner:
    """A chosen design with the operators it runs.

    Attributes
    ----------
    name
        ``design``, or ``design-N`` where a run chose several, as the run folder calls them.
    devices
        Tasks that run on it.
    operators
        The longest operators that have a matrix product, longest first.
    left_out
        Longer ones without a product, which the tools cannot express.
    step_cycles
        Σ of all operators of a step, one after the other.
    """

    name: str
    design: Design
    devices: tuple[str, ...]
    operators: tuple[ExportedOperator, ...]
    left_out: tuple[ExportedOperator, ...]
    step_cycles: int

    @property
    def share(self) -> float:
        """Share of the operator time of a step that the exported operators take, 0 to 1."""
        return sum(operator.step_cycles for operator in self.operators) / max(1, self.step_cycles)


@dataclass(frozen=True, eq=False)
class RunAnswer:
    """A run read back: what was asked, what was chosen.

    Attributes
    ----------
    winners
        One per chosen design, in the order of the run's files.
    """

    folder: RunFolder
    plan: Plan
    outcome: Outcome
    winners: tuple[Winner, ...]

    @property
    def timing(self) -> str:
        """Preset of the study."""
        return self.plan.study.timing

    @property
    def technology(self) -> Technology:
        """Constants of the study."""
        return self.plan.technology

    def pipelines(self, winner: Winner) -> tuple[PipelinePlan, ...]:
        """The workloads that have a device of this design."""
        return tuple(p for p in self.plan.pipelines if any(task.name in winner.devices for task in p.tasks))


def read_run(folder: RunFolder, stage: int | None = None, count: int = LONGEST) -> RunAnswer:
    """Rebuild plan and costs of a finished run, and find the longest operators of its designs.

    Parameters
    ----------
    folder
        Run folder, from ``accmine.questions.run.folder.find_run``.
    stage
        Only the design of this number, as in ``design-N.yaml``; ``None``: all.
    count
        Operators per design.

    Raises
    ------
    InputError
        If the run has no design, or none of this number; and what reading a study refuses.
    """
    from accmine.report import from_json

    result = folder.read_json("result.json")
    if result is None:
        raise InputError(f"{folder.path} has no result; its state is: {folder.state}")
    if result.get("status") in ("infeasible", "unknown"):
        raise InputError(f"{folder.path} has no design to export: it is {result['status']}")
    if result.get("kind") == PlacementOutcome.kind:
        raise InputError(f"{folder.path} decided a placement, of which only --to megatron is written")
    with folder.using("result.json"):
        outcome = from_json(Outcome, result)
    numbers = range(len(outcome.designs)) if stage is None else [stage]
    if stage is not None and not 0 <= stage < len(outcome.designs):
        most = len(outcome.designs) - 1
        raise InputError(f"no design {stage}; allowed: 0 to {most}" if most else f"no design {stage}; there is only 0")
    plan = plan_of(load_study(folder.path / "study.yaml").one_run)
    library = plan.library()
    winners = []
    for number in numbers:
        name = "design" if len(outcome.designs) == 1 else f"design-{number}"
        design = load_accelerator(folder.path / f"{name}.yaml")
        devices = outcome.designs[number].devices
        tasks = [task for task in plan.tasks if task.name in devices]
        if len(tasks) != len(devices):
            raise InputError(
                f"{folder.path}: design {number} serves {', '.join(devices)}, which its study does not have"
            )
        winners.append(longest(name, design, tasks, library, count))
    return RunAnswer(folder, plan, outcome, tuple(winners))


def longest(name: str, design: Design, tasks: Sequence[Task], library: CostLibrary, count: int = LONGEST) -> Winner:
    """The operators of some tasks that take most of a step on a design, by runs · duration of the fastest mode.

    Equal works count as one operator. Ties go to the one that comes first in the graphs.

    Raises
    ------
    InputError
        If an operator fits the design in no mode, or none has a matrix product.
    """
    modes = library.modes(design)
    first: dict[int, str] = {}
    runs: dict[int, int] = {}
    for task in tasks:
        for phase in task.phases:
            positions = library.index(phase.graph)[phase.graph.work_index]
            for position, times in zip(*np.unique(positions, return_counts=True), strict=True):
                runs[int(position)] = runs.get(int(position), 0) + int(times) * phase.repeats
            for operator, position in zip(phase.graph.operators, positions.tolist(), strict=True):
                first.setdefault(position, operator.name)
    found = []
    for position, own in runs.items():
        table = modes[position]
        if len(table.duration) == 0:
            raise InputError(f"{design.name}: no mode of an operator fits its cores: {first[position]}")
        best = int(np.argmin(table.duration))
        cores = max(int(table.uses[best, 0]), int(table.uses[best, 1]))
        found.append((library.works[position], first[position], own, cores, int(table.duration[best])))
    found.sort(key=lambda row: -row[2] * row[4])
    with_product = [row for row in found if row[0].gemm is not None]
    if not with_product:
        raise InputError(f"{design.name}: no operator of {', '.join(t.name for t in tasks)} has a matrix product")
    chosen = with_product[:count]
    shortest = chosen[-1][2] * chosen[-1][4]
    left_out = [row for row in found if row[0].gemm is None and row[2] * row[4] >= shortest]
    return Winner(
        name=name,
        design=design,
        devices=tuple(task.name for task in tasks),
        operators=tuple(_exported(i, row, design, library.timing) for i, row in enumerate(chosen)),
        left_out=tuple(_exported(i, row, design, library.timing) for i, row in enumerate(left_out)),
        step_cycles=sum(row[2] * row[4] for row in found),
    )


def _exported(number: int, row: tuple[Work, str, int, int, int], design: Design, timing: str) -> ExportedOperator:
    work, name, runs, cores, duration = row
    tensor, gemm = design.tensor, work.gemm
    dataflow, cycles = "", 0
    if gemm is not None:
        chosen = resolve_timing(timing)
        dataflow = best_dataflow(gemm, tensor, chosen)
        passes, rate = pace(work.dtype, tensor.rates, chosen)
        products = gemm.batch * passes
        cycles = int(array_cycles(gemm.m, gemm.k, gemm.n, products, tensor.rows, tensor.cols, dataflow, timing))
        cycles = ceil((cycles + int(chosen.last_index)) / rate)  # cycles are always their number
    # SCALE-Sim takes "DP" in a name for a depthwise layer, and commas end a cell: lower case, letters and digits only.
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower())
    return ExportedOperator(name, f"op{number}_{plain}", work, runs, cores, duration, dataflow, cycles)
