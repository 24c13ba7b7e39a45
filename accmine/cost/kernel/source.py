"""Kernels on a described architecture as a source of costs: cycles of arrays, put in before anything is searched.

On a core type that the description serves, a product takes the latency of its kernel, not the model's closed form:
``rows`` and ``cols`` of the description, where it has such parameters, are those of the core. On several cores it is
the kernel of the largest share of the grid that the model chose, and the reduction of a cut k as the model counts it.
Everything around the array stays the model's: traffic and energy, ports, vector parts, launch and calibration. So do
passes of fp32 products and stated rates of types: a description knows bytes per element only.

The arithmetic over all units (``ideal_cycles``) stays a floor, so that bounds which rest on it hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from accmine.cost.arrays.precision import at_rate, pace
from accmine.cost.arrays.timing import ceil_div, resolve_timing
from accmine.cost.kernel.generate import product_kernel
from accmine.cost.kernel.mapping import Product, rule_of
from accmine.cost.measured.values import KERNEL, MODELLED, OriginArray
from accmine.cost.measured.works import Measurements
from accmine.cost.operator_costs import TensorCosts
from accmine.errors import InputError
from accmine.files import Document
from accmine.hardware import Design, TensorCore
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.architecture_file import read_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency
from accmine.workload import BYTES
from accmine.workload.work import Work

__all__ = ["SIZES", "KernelSource"]

SIZES = ("rows", "cols")
"""Parameters of a description that are those of a core type, where it has them."""


@dataclass(frozen=True, eq=False)
class KernelSource:
    """Kernels of products on a described architecture, each timed once.

    Attributes
    ----------
    document
        The description.

    Raises
    ------
    InputError
        If the description is wrong, does not say how a product runs on it, or tells parts of a convolution apart,
        which works do not know.
    """

    document: Document
    _architectures: dict[tuple[int, int], Architecture] = field(default_factory=dict, init=False, repr=False)
    _cycles: dict[tuple[int, int, Product], int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        rule = rule_of(self.architecture)
        if rule.of_convolutions:
            known = (
                f"{self.architecture.name} maps the rows and taps of convolutions, which costs of a study do not know"
            )
            raise InputError(f"{known}; write `product` with loops over m and k, or use accmine kernel")

    def __getstate__(self) -> dict[str, Any]:
        """What is computed again where it is needed does not travel to other processes."""
        return {"document": self.document, "_architectures": {}, "_cycles": {}}

    @property
    def architecture(self) -> Architecture:
        """The description with its own parameters."""
        if (0, 0) not in self._architectures:
            self._architectures[0, 0] = read_architecture(self.document)
        return self._architectures[0, 0]

    @property
    def cores(self) -> tuple[int, ...]:
        """None: kernels are timed for any number of cores."""
        return ()

    def rows(self, works: Sequence[Work], design: Design) -> Measurements:
        """None: nothing is measured."""
        del works, design
        return Measurements((), 1.0)

    @property
    def dataflow(self) -> str | None:
        """The dataflow of core types that are served; ``None``: any, since the description names none."""
        search = rule_of(self.architecture).search
        return None if search is None else search.dataflow

    def serves(self, core: TensorCore) -> bool:
        """Whether products on a core type take the cycles of kernels."""
        return self.dataflow in (None, core.dataflow)

    @property
    def unused(self) -> tuple[str, ...]:
        """Sizes of a core type for which the description has no parameter."""
        return tuple(name for name in SIZES if name not in self.architecture.parameters)

    def on(self, core: TensorCore) -> Architecture:
        """The description with the rows and columns of a core type.

        Raises
        ------
        InputError
            If they do not fit the description.
        """
        key = core.rows, core.cols
        if key not in self._architectures:
            own = {name: getattr(core, name) for name in SIZES if name not in self.unused}
            self._architectures[key] = read_architecture(self.document, own)
        return self._architectures[key]

    def cycles(self, core: TensorCore, product: Product) -> int:
        """Cycles of the kernel of a product on one core of a type that is served.

        Raises
        ------
        InputError
            If the description has no cycles for it, with the product and the core type.
        """
        key = core.rows, core.cols, product
        if key not in self._cycles:
            p = product
            try:
                machine = self.on(core)
                kernel = product_kernel(machine, p.m, p.n, p.k, batch=p.batch, element_bytes=p.element_bytes)
                self._cycles[key] = latency(resolve(machine, kernel))
            except InputError as error:
                what = f"{self.architecture.name} with {core.rows} x {core.cols}, {p.batch} x {p.m} x {p.k} x {p.n}"
                raise InputError(
                    [replace(c, message=f"{what} (batch, m, k, n): {c.message}") for c in error.complaints]
                ) from None
        return self._cycles[key]

    def arrays(
        self, costs: TensorCosts, works: Sequence[Work], core: TensorCore, timing: str
    ) -> tuple[TensorCosts, OriginArray]:
        """The tensor sides with the cycles of kernels where there are some; ``Source.arrays``."""
        grid = costs.grid[:, 0]
        origin = np.full(grid.shape, MODELLED, dtype=np.int8)
        if not self.serves(core):
            return costs, origin
        cycles = costs.cycles.copy()
        for work, split in np.argwhere(grid >= 0).tolist():
            ideal = int(costs.ideal_cycles[work, 0, split])
            cut = costs.grids[grid[work, split]].tolist()
            cycles[work, 0, split] = max(ideal, self._share_cycles(works[work], core, cut, timing))
            origin[work, split] = KERNEL
        return replace(costs, cycles=cycles), origin

    def _share_cycles(self, work: Work, core: TensorCore, cut: Sequence[int], timing: str) -> int:
        """Cycles of the largest share of a product that is cut along (batch, m, k, n), with its reduction."""
        gemm = work.gemm
        assert gemm is not None  # fused attention has no grid
        sizes = (gemm.batch, gemm.m, gemm.k, gemm.n)
        batch, m, k, n = (ceil_div(size, pieces) for size, pieces in zip(sizes, cut, strict=True))
        passes, rate = pace(work.dtype, core.rates, resolve_timing(timing))
        own = self.cycles(core, Product(m, n, k, batch * passes, BYTES[work.dtype]))
        # As the model counts it (``accmine.cost.arrays.split``): a row of accumulators per cycle.
        own += ceil_div(batch * m * n * (cut[2] - 1), cut[2] * core.cols)
        return int(at_rate(np.array(own, dtype=np.int64), rate))
