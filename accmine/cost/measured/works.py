"""Measured operators in the place of modelled ones: exact hits, interpolation within stated limits, else the model.

A measured row says how many cycles an operator took on so many cores of a type, with everything it waited for. It
enters the costs of a design whose cores are of that type:

* **measured**: the same operator (kind, sizes, dtype) on the same number of cores. Launch and cycles together are
  the measured cycles; measured bytes and joules replace the modelled ones. Without measured bytes, the modelled ones
  are cut to what the HBM moves in the measured time.
* **interpolated**: another product of the same dtype, core type and number of cores. The rows near it are those whose
  every size (m, k, n, batch) lies within a factor ``reach`` of its own. They have to enclose it: in every size there
  is one that is not larger and one that is not smaller. Then its modelled time, bytes and energy are multiplied by
  the ratio measured / modelled of the near rows, a geometric mean weighted by the inverse distance in log size.
  Bytes and energy only where every near row has them.
* **modelled**: everything else. Nothing is extrapolated.

What a table cannot change: a time is never below the arithmetic over all units (``ideal_cycles``), traffic never below
each tensor once, and the time never below traffic over the design's own bandwidth. The cycles of a row are those on the
machine it was measured on: a faster HBM does not speed a measured operator up, a slower one slows it down.

An operator that is fused from a product and vector parts takes the measured time of the product for its tensor side;
its traffic and energy stay modelled, and it counts as interpolated. Convolutions are not products of the table: their
operands are read differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.cost.measured.file import PRODUCT, MeasuredRow, core_name, parse_core, read_rows
from accmine.cost.measured.values import INTERPOLATED, KERNEL, MEASURED, MODELLED, Change, OriginArray, Values
from accmine.cost.operator_costs import BoolArray, OperatorCosts
from accmine.cost.vector import VECTOR_TABLE
from accmine.errors import Complaint, InputError
from accmine.hardware import Design
from accmine.workload import BYTES, Vector
from accmine.workload.graph import Gemm, Work

__all__ = [
    "INTERPOLATED",
    "MEASURED",
    "MODELLED",
    "REACH",
    "MeasuredRow",
    "MeasuredWorks",
    "Measurements",
    "Share",
    "core_name",
    "parse_core",
    "read_measurements",
    "share",
]

FloatArray = npt.NDArray[np.float64]

REACH = 2.0
"""Default of the factor within which the sizes of a measured row count as near."""

_CHUNK = 2_000_000  # distances held at once
_NEAREST = 1e-9  # distance in octaves that counts as none


@dataclass(frozen=True, slots=True)
class Share:
    """Where costs come from, as fractions of a total that add up to 1."""

    measured: float
    interpolated: float
    modelled: float
    kernel: float = 0.0


@dataclass(frozen=True, eq=False)
class Measurements:
    """A table of measured operators.

    Attributes
    ----------
    rows
        Distinct measurements.
    reach
        Largest factor between a size of a product and that of a row it is interpolated from; at least 1, and 1 turns
        interpolation off.

    Raises
    ------
    InputError
        For a reach below 1 or above 16.
    """

    rows: tuple[MeasuredRow, ...]
    reach: float = REACH

    def __post_init__(self) -> None:
        if not 1.0 <= self.reach <= 16.0:
            raise InputError(f"reach must be a factor from 1 (exact hits only) to 16, got {self.reach!r}")

    @cached_property
    def works(self) -> tuple[Work, ...]:
        """The measured operator of each row as a work, in the order of ``rows``: for modelling them."""
        return tuple(_work(row) for row in self.rows)

    @property
    def cores(self) -> tuple[int, ...]:
        """The numbers of cores that were measured, ascending; rows apply to splits over as many cores only."""
        return tuple(sorted({row.cores for row in self.rows}))

    def on(self, works: Sequence[Work]) -> MeasuredWorks:
        """The table prepared for these works; ``apply`` of the result is fast for many designs."""
        return MeasuredWorks(self, tuple(works))


def read_measurements(path: str | Path, reach: float = REACH) -> Measurements:
    """The table of a CSV file (its columns: ``accmine.cost.measured.file``).

    Raises
    ------
    InputError
        Every complaint about the file at once, with file, line and column.
    """
    return Measurements(read_rows(Path(path)), reach)


def share(origin: npt.ArrayLike, weights: npt.ArrayLike) -> Share:
    """Share of a total that is measured, interpolated, modelled, and modelled but for kernels.

    Parameters
    ----------
    origin
        ``MODELLED``, ``INTERPOLATED``, ``MEASURED`` or ``KERNEL`` of each item.
    weights
        What each item contributes, e.g. the cycles of each operator of a schedule; not negative. All zero: every
        item counts the same.

    Raises
    ------
    InputError
        If the shapes differ, there are no items, or a weight is negative.
    """
    origins, amounts = np.asarray(origin), np.asarray(weights, dtype=np.float64)
    if origins.shape != amounts.shape or origins.size == 0:
        raise InputError(f"origins and weights must have one shape and items, got {origins.shape} and {amounts.shape}")
    if not bool((amounts >= 0).all()):
        raise InputError("weights must not be negative")
    if not amounts.any():
        amounts = np.ones_like(amounts)
    total = float(amounts.sum())
    parts = [float(amounts[origins == code].sum()) / total for code in (MEASURED, INTERPOLATED, KERNEL)]
    return Share(parts[0], parts[1], max(0.0, 1.0 - sum(parts)), parts[2])


class MeasuredWorks:
    """A table of measurements beside the works it is applied to; made by ``Measurements.on``."""

    def __init__(self, measurements: Measurements, works: tuple[Work, ...]) -> None:
        self.measurements = measurements
        self.works = works
        self._core_types = {row.core for row in measurements.rows}
        vectors = [_vector_key(work) for work in works]
        self._vector_at: dict[tuple[object, ...], list[int]] = {}
        for index, key in enumerate(vectors):
            if key is not None:
                self._vector_at.setdefault(key, []).append(index)
        products = [(i, work) for i, work in enumerate(works) if _is_product(work)]
        self._product_at: IntArray = np.array([i for i, _ in products], dtype=np.int64)
        self._product_dtype = np.array([work.dtype for _, work in products], dtype="U8")
        self._product_log = _log_sizes([_size_of(work) for _, work in products])
        self._alone: BoolArray = np.array([not work.vector for _, work in products], dtype=np.bool_)

    def apply(self, costs: OperatorCosts, of_rows: OperatorCosts, design: Design) -> tuple[OperatorCosts, OriginArray]:
        """The costs with measured and interpolated values in place of modelled ones.

        Parameters
        ----------
        costs
            Modelled costs of ``works`` on the core types of ``design``.
        of_rows
            Modelled costs of ``measurements.works`` on the same cores, with the same splits.
        design
            Whose core types, HBM bandwidth and calibration count; its core counts do not.

        Returns
        -------
        costs, origin
            ``origin`` is ``MODELLED``, ``INTERPOLATED`` or ``MEASURED``; int8, shape (works, splits). Entries that
            the model has no cost for (``INVALID``) stay as they are.

        Raises
        ------
        InputError
            If the costs are of other works, or the two have different splits, or a row on the core types of the design
            is shorter than its launch.
        """
        rows = self.measurements.rows
        if costs.cycles.shape[0] != len(self.works) or of_rows.cycles.shape[0] != len(rows):
            raise InputError("costs must be those of the works and of the rows of this table")
        if costs.splits != of_rows.splits:
            raise InputError(f"costs of works and rows must have the same splits, got {costs.splits}, {of_rows.splits}")
        change = Change(costs, design)
        if not self._core_types & {design.tensor.plain, design.vector.plain}:
            return costs, change.origin
        self._check_launch(design)
        for column, cores in enumerate(costs.splits):
            on = [r for r, row in enumerate(rows) if row.cores == cores]
            self._products(change, of_rows, design, column, [r for r in on if rows[r].core == design.tensor.plain])
            self._vectors(change, column, [r for r in on if rows[r].core == design.vector.plain])
        return change.result()

    def _check_launch(self, design: Design) -> None:
        """Rows hold the launch of their operator: shorter ones contradict the calibration."""
        launch = design.launch_cycles
        complaints = [
            Complaint(
                "",
                "",
                f"row {row.where}: {row.cycles:,} cycles are less than the launch of {launch:,} cycles that the "
                "accelerator's calibration adds",
            )
            for row in self.measurements.rows
            if row.cycles < launch and row.core in (design.tensor.plain, design.vector.plain)
        ]
        if complaints:
            raise InputError(complaints)

    def _vectors(self, change: Change, column: int, chosen: list[int]) -> None:
        rows = self.measurements.rows
        hits = [
            (work, r) for r in chosen for work in self._vector_at.get((rows[r].kind, rows[r].size, rows[r].dtype), ())
        ]
        works = np.array([work for work, _ in hits], dtype=np.int64)
        values = Values.of([rows[r] for _, r in hits])
        change.put(works, column, values, np.full(works.shape, MEASURED, dtype=np.int8))

    def _products(self, change: Change, of_rows: OperatorCosts, design: Design, column: int, chosen: list[int]) -> None:
        rows = self.measurements.rows
        for dtype in sorted({rows[r].dtype for r in chosen}):
            products = np.flatnonzero(self._product_dtype == dtype)
            here = [r for r in chosen if rows[r].dtype == dtype]
            if not products.size:
                continue
            sizes, values = _log_sizes([rows[r].size for r in here]), Values.of([rows[r] for r in here])
            ratio = values.over(Change(of_rows, design), np.array(here, dtype=np.int64), column)
            step = max(1, _CHUNK // (4 * len(here)))
            for start in range(0, products.size, step):
                self._place(change, column, products[start : start + step], sizes, values, ratio)

    def _place(
        self, change: Change, column: int, products: IntArray, sizes: FloatArray, values: Values, ratio: FloatArray
    ) -> None:
        """Put measured and interpolated values of some products (indices into the products) into one split."""
        reach = np.log2(self.measurements.reach) + _NEAREST
        offset = _offsets(sizes, self._product_log[products])
        near = _all_within(offset, reach)
        reached = near.any(axis=1)  # few are: the rest of the work is for them alone
        products, near, offset = products[reached], near[reached], [one[reached] for one in offset]
        works, alone = self._product_at[products], self._alone[products]

        exact = _all_within(offset, _NEAREST)
        hit = exact.any(axis=1)
        # The bytes and joules of a product on its own are not those of an operator fused behind it.
        found = values.take(exact.argmax(axis=1)[hit], with_all=alone[hit])
        change.put(works[hit], column, found, np.where(alone[hit], MEASURED, INTERPOLATED).astype(np.int8))

        near &= np.isfinite(ratio[0])  # a row that the model cannot spread over so many cores has no ratio
        enclosed = ~hit
        for one in offset:
            enclosed &= (near & (one <= _NEAREST)).any(axis=1) & (near & (one >= -_NEAREST)).any(axis=1)
        if not enclosed.any():
            return
        distance = np.sqrt(sum(one[enclosed] ** 2 for one in offset))
        weight = np.where(near[enclosed], 1.0 / np.maximum(distance, _NEAREST), 0.0)
        # One near row without bytes or joules leaves their mean unknown: NaN, which keeps the model's.
        logs = [np.where(weight > 0, weight * np.log(r), 0.0).sum(axis=1) / weight.sum(axis=1) for r in ratio]
        change.scale(works[enclosed], column, np.exp(np.array(logs)), alone[enclosed])


def _offsets(rows: FloatArray, products: FloatArray) -> list[FloatArray]:
    """Distance in octaves from each product to each row, for each size; shapes (products, rows)."""
    return [rows[None, :, axis] - products[:, None, axis] for axis in range(rows.shape[1])]


def _all_within(offset: Sequence[FloatArray], limit: float) -> BoolArray:
    within = np.abs(offset[0]) <= limit
    for one in offset[1:]:
        within &= np.abs(one) <= limit
    return within


def _work(row: MeasuredRow) -> Work:
    size = BYTES[row.dtype]
    if row.kind != PRODUCT:
        elements, length = row.size
        return Work(None, (Vector(row.kind, elements, length),), elements * size, elements * size, row.dtype)
    m, k, n, batch = row.size
    product = Gemm(m, k, n, batch, batch * m * k, batch * k * n, batch * m * n)
    return Work(product, (), batch * (m * k + k * n) * size, batch * m * n * size, row.dtype)


def _is_product(work: Work) -> bool:
    """Whether a work has a product whose operands are read as they stand: no convolution, nothing broadcast."""
    g = work.gemm
    if g is None:
        return False
    sizes = (g.batch * g.m * g.k, g.batch * g.k * g.n, g.batch * g.m * g.n)
    return sizes == (g.a_elements, g.b_elements, g.c_elements)


def _size_of(work: Work) -> tuple[int, ...]:
    g = work.gemm
    return (0, 0, 0, 0) if g is None else (g.m, g.k, g.n, g.batch)


def _vector_key(work: Work) -> tuple[object, ...] | None:
    """(kind, (elements, row), dtype) of a work of one vector part, as a measured row has them; else ``None``."""
    if work.uses_tensor or len(work.vector) != 1:
        return None
    part = work.vector[0]
    has_row = part.kind in VECTOR_TABLE and VECTOR_TABLE[part.kind].has_row
    return part.kind, (part.elements, min(part.row, part.elements) if has_row else 1), work.dtype


def _log_sizes(sizes: Sequence[tuple[int, ...]]) -> FloatArray:
    """Base-2 logarithms of sizes; shape (products, 4)."""
    return np.log2(np.array(sizes, dtype=np.float64).reshape(-1, 4))
