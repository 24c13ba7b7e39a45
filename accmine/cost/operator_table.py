"""The operators of a training step as a table: what each costs on a design, what it is bound by, and their sums.

Every operator stands alone here, with all of the HBM bandwidth, on as many cores as make it fastest. So the sum of the
table is neither the makespan of a schedule (operators run side by side) nor a bound of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from accmine.cost.arrays.products import SLAB_ELEMENTS, SUM_BYTES
from accmine.cost.arrays.timing import IntArray
from accmine.cost.mode_table import ModeTable
from accmine.cost.modes import CostLibrary
from accmine.cost.operator_costs import LEVELS
from accmine.cost.vector import vector_parts
from accmine.errors import InputError
from accmine.hardware import Design, Roofline
from accmine.hardware.roofline import roofline
from accmine.workload import BYTES, Task
from accmine.workload.work import Work

__all__ = [
    "LAUNCH",
    "OperatorRow",
    "OperatorTable",
    "Total",
    "least_tile_bytes",
    "operator_table",
    "total_of",
    "vector_operations",
]

LAUNCH = "launch"
"""What an operator is bound by whose launch takes longer than all else."""


@dataclass(frozen=True)
class OperatorRow:
    """Equal operators of one phase of a training step, each alone on a design.

    Attributes
    ----------
    name, kind, phase
        Of the first of them; ``phase`` is ``forward``, ``backward`` or ``update``.
    count
        How many of them a step runs: those of the graph times its microbatches.
    work
        What they cost any hardware.
    tensor_cores, vector_cores
        Cores that one of them holds.
    cycles
        Cycles of computing of one of them: of array, vector lanes and ports.
    duration_cycles
        Launch + max(cycles, HBM time) of one of them.
    bound_by
        ``array``, ``vector``, ``port``, ``hbm`` or ``launch``.
    utilization
        Multiply-accumulates / (duration · multipliers of the cores held · rate of the type), 0 to 1; ``None`` without
        a product.
    hbm_bytes
        Traffic of one of them.
    energy_fj
        Dynamic energy of one of them in femtojoules, rounded to a whole number so that sums are exact; ``None``
        where the technology has none.
    vector_operations
        Operations of the vector lanes of one of them.
    intensity, attainable_flops_per_s, reached_flops_per_s
        FLOP per byte of HBM traffic, FLOP/s below the design's roof at it, and FLOP/s it has. FLOP are those of the
        product, or the operations of the vector lanes where there is none. The roof is that of all cores.
    least_sram_bytes
        Above 0 where not even a tile of one output fits the SRAM: the least SRAM in which one does.
    """

    name: str
    kind: str
    phase: str
    count: int
    work: Work
    tensor_cores: int
    vector_cores: int
    cycles: int
    duration_cycles: int
    bound_by: str
    utilization: float | None
    hbm_bytes: int
    energy_fj: int | None
    vector_operations: int
    intensity: float
    attainable_flops_per_s: float
    reached_flops_per_s: float
    least_sram_bytes: int = 0

    @property
    def cores(self) -> int:
        """Cores of each kind that it uses."""
        return max(self.tensor_cores, self.vector_cores)

    @property
    def inserted(self) -> int:
        """Multiply-accumulates by inserted zeros that one of them skips."""
        return 0 if self.work.gemm is None else self.work.gemm.inserted

    @property
    def elements(self) -> int:
        """Elements of the largest vector part; 0 without one."""
        return max((part.elements for part in self.work.vector), default=0)

    @property
    def step_cycles(self) -> int:
        """Cycles of all of them, one after the other."""
        return self.count * self.duration_cycles

    @property
    def step_bytes(self) -> int:
        """HBM traffic of all of them."""
        return self.count * self.hbm_bytes

    @property
    def step_macs(self) -> int:
        """Multiply-accumulates of all of them."""
        return self.count * self.work.macs

    @property
    def step_inserted(self) -> int:
        """Multiply-accumulates by inserted zeros that all of them skip."""
        return self.count * self.inserted

    @property
    def step_energy_fj(self) -> int | None:
        """Dynamic energy of all of them in femtojoules."""
        return None if self.energy_fj is None else self.count * self.energy_fj


@dataclass(frozen=True)
class Total:
    """Sum of rows over a step; integers, so that it is exact.

    Attributes
    ----------
    name
        A phase, ``step`` for all of them.
    operators
        Operators run.
    """

    name: str
    operators: int
    cycles: int
    macs: int
    inserted: int
    hbm_bytes: int
    energy_fj: int | None


@dataclass(frozen=True)
class OperatorTable:
    """All operators of a training step on a design.

    Attributes
    ----------
    roof
        Its ceilings in the type of most of the products.
    rows
        Those that take most of the step first; of equal ones the earlier in the graph.
    phases
        Totals of each phase, in the order of a step.
    step
        Total of all rows.
    """

    design: Design
    roof: Roofline
    rows: tuple[OperatorRow, ...]
    phases: tuple[Total, ...]
    step: Total

    @property
    def cycles_by_bound(self) -> dict[str, int]:
        """Cycles of a step by what its operators are bound by, most first; they add up to those of the step."""
        names = dict.fromkeys(row.bound_by for row in self.rows)
        found = {name: sum(row.step_cycles for row in self.rows if row.bound_by == name) for name in names}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def utilization(self) -> float:
        """Multiply-accumulates of a step at the peak of all arrays over the sum of its cycles, 0 to 1."""
        peak = self.design.tensor_cores * self.design.tensor.macs * self.step.cycles
        return sum(row.step_macs / _rate(self.design, row.work) for row in self.rows) / peak if peak else 0.0


def operator_table(task: Task, library: CostLibrary, design: Design, *, energies: bool = True) -> OperatorTable:
    """Cost every operator of a training step on a design.

    Operators with equal work, kind and phase share a row. Each takes the number of cores, within those of the design,
    on which it is fastest; of equal ones the fewest.

    Parameters
    ----------
    task
        A step on one device, e.g. of ``accmine.plan.plan.make_plan``.
    library
        Costs of its works; its splits say over how many cores an operator may be spread.
    energies
        Whether the constants of the library's technology hold for this design.

    Raises
    ------
    InputError
        If an operator fits the cores of the design on no allowed split.
    """
    bench = _Bench(
        library=library,
        design=design,
        modes=_fastest(library, design),
        roofs={dtype: roofline(design, dtype) for dtype in {work.dtype for work in library.works}},
        launch=library.costs(design).corrections.launch_cycles,
        operations=vector_operations(library.works),
        energies=energies and library.costs(design).energy_pj is not None,
    )
    found = [bench.row(group) for group in _groups(task, library)]
    rows = tuple(sorted(found, key=lambda row: -row.step_cycles))
    names = dict.fromkeys(row.phase for row in found)
    phases = tuple(total_of(name, [row for row in rows if row.phase == name]) for name in names)
    most = max(rows, key=lambda row: row.step_macs)
    return OperatorTable(design, bench.roofs[most.work.dtype], rows, phases, total_of("step", rows))


def _rate(design: Design, work: Work) -> float:
    """Stated multiple of the bf16 rate at which arrays multiply; 1 where none is."""
    return design.tensor.rate(work.dtype) or 1.0


def total_of(name: str, rows: Iterable[OperatorRow]) -> Total:
    """Sum of some rows; energies only where every row has one."""
    rows = list(rows)
    energies = [row.step_energy_fj for row in rows]
    known = [energy for energy in energies if energy is not None]
    return Total(
        name=name,
        operators=sum(row.count for row in rows),
        cycles=sum(row.step_cycles for row in rows),
        macs=sum(row.step_macs for row in rows),
        inserted=sum(row.step_inserted for row in rows),
        hbm_bytes=sum(row.step_bytes for row in rows),
        energy_fj=sum(known) if len(known) == len(energies) else None,
    )


def least_tile_bytes(work: Work, rows: int, k: int, dataflow: str) -> int:
    """SRAM in which a tile of one output fits, on an array of ``rows`` rows and k elements of a core's share.

    The least of the loop orders of ``accmine.cost.arrays.orders``: slabs of the operands and one sum, or a panel of one
    row or column and what streams past it, all of k for ``os``.
    """
    e = BYTES[work.dtype]
    slab = 2 * e * min(k, rows * -(-SLAB_ELEMENTS // rows))
    return min(2 * slab + SUM_BYTES, e * k + (2 * e * k if dataflow == "os" else slab) + 2 * SUM_BYTES)


@dataclass(frozen=True)
class _Group:
    """Equal operators of a phase: name of the first, how many a step runs, position of their work in the library."""

    name: str
    kind: str
    phase: str
    count: int
    position: int


def _groups(task: Task, library: CostLibrary) -> list[_Group]:
    """Equal operators, in the order of the graphs."""
    groups: dict[tuple[str, str, int], _Group] = {}
    for run in task.phases:
        positions = library.index(run.graph)[run.graph.work_index].tolist()
        for operator, position in zip(run.graph.operators, positions, strict=True):
            key = (operator.phase, operator.kind, position)
            first = groups.get(key) or _Group(operator.name, operator.kind, operator.phase, 0, position)
            groups[key] = replace(first, count=first.count + run.repeats)
    return list(groups.values())


def _fastest(library: CostLibrary, design: Design) -> tuple[ModeTable, ...]:
    """The mode of each work in which it is fastest within the cores of the design, of equal ones on the fewest."""
    modes = library.modes(design)
    for work, table in zip(library.works, modes, strict=True):
        if not len(table.duration):
            raise InputError(f"{design.name}: no mode of an operator fits its cores: {work}")
    return tuple(table.take([0]) for table in modes)


def vector_operations(works: Sequence[Work]) -> IntArray:
    """Operations of the vector lanes of each work; shape (works,)."""
    parts = vector_parts([work.vector for work in works], [work.dtype for work in works])
    operations = np.zeros(len(works), dtype=np.int64)
    np.add.at(operations, parts.work, parts.operations * parts.elements)
    return operations


@dataclass(frozen=True, eq=False)
class _Bench:
    """A design with the fastest mode of all works on it; ``launch`` and ``operations`` per work, ``roofs`` by type."""

    library: CostLibrary
    design: Design
    modes: tuple[ModeTable, ...]
    roofs: Mapping[str, Roofline]
    launch: IntArray
    operations: IntArray
    energies: bool

    def row(self, group: _Group) -> OperatorRow:
        """The row of equal operators."""
        design, position = self.design, group.position
        work, mode = self.library.works[position], self.modes[position]
        tensor_cores, vector_cores = int(mode.uses[0, 0]), int(mode.uses[0, 1])
        moved, duration = int(mode.hbm_bytes[0]), int(mode.duration[0])
        product, operations = tensor_cores > 0, int(self.operations[position])
        flops = 2 * work.macs if product else operations
        intensity = flops / moved if moved else inf if flops else 0.0
        multipliers = design.tensor.macs * tensor_cores * duration * _rate(design, work)
        launched = 2 * int(self.launch[position]) > duration
        return OperatorRow(
            name=group.name,
            kind=group.kind,
            phase=group.phase,
            count=group.count,
            work=work,
            tensor_cores=tensor_cores,
            vector_cores=vector_cores,
            cycles=int(mode.cycles[0]),
            duration_cycles=duration,
            bound_by=LAUNCH if launched else LEVELS[int(mode.level[0])],
            utilization=work.macs / multipliers if product and multipliers else None,
            hbm_bytes=moved,
            energy_fj=round(1000 * float(mode.energy_pj[0])) if self.energies else None,
            vector_operations=operations,
            intensity=intensity,
            attainable_flops_per_s=self.roofs[work.dtype].attainable(intensity, product=product),
            reached_flops_per_s=flops * design.frequency_hz / duration if duration else 0.0,
            least_sram_bytes=self._least_sram_bytes(position, tensor_cores),
        )

    def _least_sram_bytes(self, position: int, cores: int) -> int:
        """Least SRAM of a tensor core that holds a tile; 0 where its SRAM does."""
        work, tensor = self.library.works[position], self.design.tensor
        if work.gemm is None:
            return 0
        at = self.library.splits.index(cores)
        cut = self.library.tensor(self.design).cut(position, 0, at) or (1, 1, 1, 1)
        least = least_tile_bytes(work, tensor.rows, -(-work.gemm.k // cut[2]), tensor.dataflow)
        return least if least > tensor.sram_bytes else 0
