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
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from accmine.cost.arrays.precision import at_rate, pace
from accmine.cost.arrays.timing import IntArray, Timing, ceil_div, resolve_timing
from accmine.cost.kernel.generate import product_kernel
from accmine.cost.kernel.mapping import Product, rule_of
from accmine.cost.measured.values import KERNEL, MODELLED, OriginArray
from accmine.cost.measured.works import Measurements
from accmine.cost.operator_costs import TensorCosts
from accmine.errors import InputError
from accmine.files import Document
from accmine.hardware import Design, Template, TensorCore
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.architecture_file import read_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency
from accmine.workload import BYTES
from accmine.workload.work import Work

__all__ = ["MOST_KERNELS", "SIZES", "KernelSource", "too_many_kernels"]

MOST_KERNELS = 400_000
"""Kernels that a study may need at most: products × array sizes × numbers of cores. A third of them are different; at
1 ms (systolic arrays) to 10 ms each that is minutes to half an hour."""
MOST_KEPT = 1 << 20
"""Kernels whose cycles are kept, some 300 MB; more than one run needs (``MOST_KERNELS``)."""

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
    _architectures: dict[tuple[int, ...], Architecture] = field(default_factory=dict, init=False, repr=False)
    _cycles: dict[tuple[tuple[int, ...], Product], int] = field(default_factory=dict, init=False, repr=False)

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

    @cached_property
    def architecture(self) -> Architecture:
        """The description with its own parameters."""
        return read_architecture(self.document)

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

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """Sizes of a core type for which the description has a parameter."""
        return tuple(name for name in SIZES if name in self.architecture.parameters)

    def on(self, core: TensorCore) -> Architecture:
        """The description with the rows and columns of a core type.

        Raises
        ------
        InputError
            If they do not fit the description.
        """
        own = {name: getattr(core, name) for name in self.sizes}
        key = tuple(own.values())
        if key not in self._architectures:
            self._architectures[key] = read_architecture(self.document, own)
        return self._architectures[key]

    def cycles(self, core: TensorCore, product: Product) -> int:
        """Cycles of the kernel of a product on one core of a type that is served.

        Raises
        ------
        InputError
            If the description has no cycles for it, with the product and the core type.
        """
        key = tuple(getattr(core, name) for name in self.sizes), product
        if key not in self._cycles:
            if len(self._cycles) >= MOST_KEPT:
                self._cycles.clear()
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
        if not self.serves(core) or not (grid >= 0).any():
            return costs, origin
        work, split = np.nonzero(grid >= 0)
        cuts = costs.grids[grid[work, split]]
        cycles = costs.cycles.copy()
        cycles[work, 0, split] = np.maximum(
            costs.ideal_cycles[work, 0, split], self._shares(works, work, cuts, core, resolve_timing(timing))
        )
        origin[work, split] = KERNEL
        return replace(costs, cycles=cycles), origin

    def _shares(
        self, works: Sequence[Work], at: IntArray, cuts: IntArray, core: TensorCore, timing: Timing
    ) -> IntArray:
        """Cycles of the largest share of products that are cut along (batch, m, k, n), with their reductions.

        Parameters
        ----------
        at
            Positions of the products in ``works``; shape (shares,).
        cuts
            Pieces along batch, m, k and n; shape (shares, 4).
        """
        some = np.unique(at)
        gemms = [works[i].gemm for i in some.tolist()]  # fused attention has no grid
        sizes = np.array([(g.batch, g.m, g.k, g.n) for g in gemms if g is not None], dtype=np.int64)
        paces = [pace(works[i].dtype, core.rates, timing) for i in some.tolist()]
        widths = [BYTES[works[i].dtype] for i in some.tolist()]
        own = np.searchsorted(some, at)
        batch, m, k, n = ceil_div(sizes[own], cuts).T
        keys = np.stack((m, n, k, batch * np.array([p for p, _ in paces])[own], np.array(widths)[own]), axis=1)
        once, back = np.unique(keys, axis=0, return_inverse=True)
        found = np.array([self.cycles(core, Product(*key)) for key in once.tolist()], dtype=np.int64)[back]
        # As the model counts it (``accmine.cost.arrays.split``): a row of accumulators per cycle.
        found += ceil_div(batch * m * n * (cuts[:, 2] - 1), cuts[:, 2] * core.cols)
        for number, (_, rate) in enumerate(paces):
            here = own == number
            found[here] = at_rate(found[here], rate)
        return found


def too_many_kernels(source: object, works: Sequence[Work], template: Template, splits: int) -> None:
    """Refuse a study that would be busy with kernels for hours.

    Parameters
    ----------
    source
        Of costs; others than kernels are none of it.
    splits
        Numbers of cores that an operator may hold.

    Raises
    ------
    InputError
        With the number of kernels, above ``MOST_KERNELS``.
    """
    if not isinstance(source, KernelSource):
        return
    products = len({(work.gemm, work.dtype) for work in works if work.gemm is not None})
    types = prod(len(getattr(template, f"tensor_{name}")) for name in source.sizes)
    if products * types * splits > MOST_KERNELS:
        raise InputError(
            f"would time up to {products * types * splits:,} kernels, of {products:,} products on {types:,} array "
            f"sizes and {splits:,} numbers of cores; at most {MOST_KERNELS:,}: give tensor_dim and tensor_cores fewer "
            "values, or operator_split: powers",
            field="cost.use",
        )
