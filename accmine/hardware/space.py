"""The design space of a template: iterated lazily, counted, and bounded per pair of core types with numpy.

Costs are linear in the core counts, so that area and TDP of all counts of a core pair are one outer sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.hardware.design import Design, TensorCore, VectorCore
from accmine.hardware.technology import Technology, chip_of, linear_costs
from accmine.hardware.template import Template

__all__ = ["Block", "DesignSpace", "Smallest", "count_feasible", "feasible", "smallest", "types_of"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def types_of(template: Template) -> Iterator[Design]:
    """Every choice of everything but the core counts, as a design whose counts (1 and 1) mean nothing."""
    tensors = [
        TensorCore(rows, cols, sram, dataflow, template.tensor_rates)
        for rows, cols, sram, dataflow in product(
            template.tensor_rows, template.tensor_cols, template.tensor_sram_bytes, template.dataflow
        )
    ]
    vectors = [
        VectorCore(lanes, ops, sram, template.vector_rates)
        for lanes, ops, sram in product(template.vector_lanes, template.vector_ops_per_lane, template.vector_sram_bytes)
    ]
    chips = list(product(template.memories, template.frequency_hz, template.shared_memories))
    for tensor, vector, ((capacity, rate), clock, (shared, port)) in product(tensors, vectors, chips):
        yield Design(1, tensor, 1, vector, capacity, rate, clock, shared, port, template.calibration)


@dataclass(frozen=True)
class DesignSpace:
    """All designs of a template, without holding them."""

    template: Template

    def __len__(self) -> int:
        return self.template.size

    def __iter__(self) -> Iterator[Design]:
        counts = (self.template.tensor_cores, self.template.vector_cores)
        for types in types_of(self.template):
            for tensor_cores, vector_cores in product(*counts):
                yield types.with_cores(tensor_cores, vector_cores)

    def contains(self, design: Design) -> bool:
        """Whether every tunable of ``design`` has an allowed value."""
        return self.template.contains(design)

    __contains__ = contains


@dataclass(frozen=True, eq=False)
class Block:
    """All designs of one pair of core types, and which of them hold the limits.

    Attributes
    ----------
    types
        A design with these core types; its counts mean nothing.
    tensor_counts, vector_counts
        Core counts; shapes (a,) and (b,).
    area_mm2, tdp_w
        Shapes (a, b); TDP is NaN where the technology defines no power.
    mask
        Which designs hold both limits; shape (a, b).
    """

    types: Design
    tensor_counts: IntArray
    vector_counts: IntArray
    area_mm2: FloatArray
    tdp_w: FloatArray
    mask: BoolArray

    @property
    def count(self) -> int:
        """Number of designs that hold the limits."""
        return int(np.count_nonzero(self.mask))

    def design(self, i: int, j: int) -> Design:
        """The design with ``tensor_counts[i]`` tensor and ``vector_counts[j]`` vector cores."""
        return self.types.with_cores(int(self.tensor_counts[i]), int(self.vector_counts[j]))

    def designs(self) -> Iterator[Design]:
        """The designs that hold the limits."""
        for i, j in np.argwhere(self.mask):
            yield self.design(int(i), int(j))


def feasible(
    template: Template, technology: Technology, *, area_mm2: float | None = None, tdp_w: float | None = None
) -> Iterator[Block]:
    """Per pair of core types with at least one design within the limits: a block of all its core counts.

    Parameters
    ----------
    area_mm2, tdp_w
        Limits, inclusive; ``None`` for none.

    Raises
    ------
    InputError
        If a core type, a frequency or a TDP limit is outside what the technology defines.
    """
    if tdp_w is not None:
        technology.need_power()
    tensor_counts = np.array(template.tensor_cores, dtype=np.int64)
    vector_counts = np.array(template.vector_cores, dtype=np.int64)
    area_limit, tdp_limit = inf if area_mm2 is None else area_mm2, inf if tdp_w is None else tdp_w
    for types in types_of(template):
        costs = linear_costs(types.tensor, types.vector, chip_of(types), technology)
        # the order of the sums is that of LinearCosts, so that both give the same floats
        area = (costs.area_fixed_mm2 + tensor_counts * costs.area_per_tensor_mm2)[:, None] + (
            vector_counts * costs.area_per_vector_mm2
        )
        tdp = (costs.tdp_fixed_w + tensor_counts * costs.tdp_per_tensor_w)[:, None] + (
            vector_counts * costs.tdp_per_vector_w
        )
        mask = area <= area_limit
        if tdp_w is not None:
            mask &= tdp <= tdp_limit
        if not mask.any():
            continue
        yield Block(types, tensor_counts, vector_counts, area, tdp, mask)


def count_feasible(
    template: Template, technology: Technology, *, area_mm2: float | None = None, tdp_w: float | None = None
) -> int:
    """Number of designs within the limits; see ``feasible``."""
    return sum(block.count for block in feasible(template, technology, area_mm2=area_mm2, tdp_w=tdp_w))


@dataclass(frozen=True, slots=True)
class Smallest:
    """The designs of least area and of least TDP, for saying which limit would work.

    ``tdp_design`` and ``tdp_w`` are ``None`` where the technology defines no power. One limit alone is
    met from the value given here; a design that meets both at once may need more of either.
    """

    area_design: Design
    area_mm2: float
    tdp_design: Design | None
    tdp_w: float | None


def smallest(template: Template, technology: Technology) -> Smallest:
    """The designs of least area and of least TDP of a template.

    Raises
    ------
    InputError
        If a core type or a frequency is outside what the technology defines.
    """
    # every core adds area and power: the fewest cores are the least of each pair
    a, b = template.tensor_cores[0], template.vector_cores[0]
    best_area: tuple[float, Design] | None = None
    best_tdp: tuple[float, Design] | None = None
    for types in types_of(template):
        costs = linear_costs(types.tensor, types.vector, chip_of(types), technology)
        area, tdp = costs.area_mm2(a, b), costs.tdp_w(a, b)
        if best_area is None or area < best_area[0]:
            best_area = (area, types.with_cores(a, b))
        if technology.power is not None and (best_tdp is None or tdp < best_tdp[0]):
            best_tdp = (tdp, types.with_cores(a, b))
    if best_area is None:
        raise InputError("the template has no design")
    if best_tdp is None:
        return Smallest(best_area[1], best_area[0], None, None)
    return Smallest(best_area[1], best_area[0], best_tdp[1], best_tdp[0])
