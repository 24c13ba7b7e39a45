"""Where costs come from beside the model: a table of measured operators, another tool that makes one, or kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from accmine.cost.measured.values import MODELLED, OriginArray
from accmine.cost.measured.works import Measurements, read_measurements
from accmine.cost.operator_costs import TensorCosts
from accmine.errors import InputError
from accmine.hardware import Design, TensorCore
from accmine.hardware.technology import Technology
from accmine.workload.work import Work

__all__ = ["MOST_RUNS", "MeasuredTable", "Source", "Stretched", "ZigzagSource", "too_many_runs"]

MOST_RUNS = 2000
"""Products × core types that ZigZag is asked for in one study; at some 4 seconds each that is two hours."""


class Source(Protocol):
    """Gives what replaces modelled costs on the cores of a design: cycles of arrays, then measured operators."""

    @property
    def cores(self) -> tuple[int, ...]:
        """Numbers of cores that rows are of, ascending."""
        ...

    def rows(self, works: Sequence[Work], design: Design) -> Measurements:
        """Measurements for ``works`` on the core types of ``design``."""
        ...

    def arrays(
        self, costs: TensorCosts, works: Sequence[Work], core: TensorCore, timing: str
    ) -> tuple[TensorCosts, OriginArray]:
        """Tensor sides on one core type in place of the model's, before they are corrected and anything is searched.

        Parameters
        ----------
        costs
            Modelled tensor sides of ``works`` on ``core`` alone, with the grids that were chosen.
        timing
            Preset of ``accmine.cost.arrays.timing``.

        Returns
        -------
        costs, origin
            ``origin`` is ``MODELLED`` or ``KERNEL``; shape (works, splits).
        """
        ...


class _Measured:
    """What sources of measurements have in common."""

    def arrays(
        self, costs: TensorCosts, works: Sequence[Work], core: TensorCore, timing: str
    ) -> tuple[TensorCosts, OriginArray]:
        """Those of the model."""
        del works, core, timing
        return costs, np.full(costs.grid[:, 0].shape, MODELLED, dtype=np.int8)


@dataclass(frozen=True, eq=False)
class MeasuredTable(_Measured):
    """A table of measured operators, as it was read."""

    measurements: Measurements

    @property
    def cores(self) -> tuple[int, ...]:
        """Those of the table."""
        return self.measurements.cores

    def rows(self, works: Sequence[Work], design: Design) -> Measurements:
        """The whole table, whatever the works and the design."""
        del works, design
        return self.measurements


@dataclass(frozen=True)
class ZigzagSource(_Measured):
    """ZigZag's mapping search, run once for every plain product and tensor core and kept in a file."""

    cache: Path
    timing: str
    technology: Technology
    cores: tuple[int, ...] = (1,)

    def rows(self, works: Sequence[Work], design: Design) -> Measurements:
        """ZigZag's figures for the products of ``works`` on one core of ``design``; seconds for each new one.

        ZigZag knows of no launch: that of the design's calibration is added.
        """
        from accmine.cost.measured.zigzag import zigzag_rows

        wanted = {
            (r.m, r.k, r.n, r.batch, r.dtype, r.core)
            for r in zigzag_rows(
                works,
                design.tensor,
                self.technology,
                timing=self.timing,
                cache=self.cache,
                hbm_bytes=design.hbm_bytes,
            )
        }
        if not wanted:
            return Measurements((), 1.0)
        table = read_measurements(self.cache, 1.0)  # exact hits only: what is missing is run, not interpolated
        launch, own = design.launch_cycles, (row for row in table.rows if row.core == design.tensor.plain)
        return Measurements(tuple(replace(row, cycles=row.cycles + launch) for row in own), 1.0)


@dataclass(frozen=True)
class Stretched:
    """A source for designs whose launch is not known: what is shorter than a launch counts as long as it."""

    source: Source

    def arrays(
        self, costs: TensorCosts, works: Sequence[Work], core: TensorCore, timing: str
    ) -> tuple[TensorCosts, OriginArray]:
        """Those of the source."""
        return self.source.arrays(costs, works, core, timing)

    @property
    def cores(self) -> tuple[int, ...]:
        """Those of the source."""
        return self.source.cores

    def rows(self, works: Sequence[Work], design: Design) -> Measurements:
        """Those of the source."""
        found, launch = self.source.rows(works, design), design.launch_cycles
        if all(row.cycles >= launch for row in found.rows):
            return found
        return replace(found, rows=tuple(replace(row, cycles=max(row.cycles, launch)) for row in found.rows))


def too_many_runs(works: Sequence[Work], core_types: int) -> None:
    """Refuse a study that would keep ZigZag busy for hours.

    Raises
    ------
    InputError
        With the number of runs, above ``MOST_RUNS``.
    """
    products = len({(work.gemm, work.dtype) for work in works if work.gemm is not None})
    if products * core_types > MOST_RUNS:
        raise InputError(
            f"would run ZigZag on {products:,} products for each of {core_types:,} tensor-core types, some 4 s each; "
            f"at most {MOST_RUNS:,} runs: give tensor_dim, tensor_sram and dataflow fewer values",
            field="cost.use",
        )
