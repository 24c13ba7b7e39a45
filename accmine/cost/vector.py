"""Vector operators: lane operations, row reductions and re-reads of every vector kind.

A vector core has ``lanes`` × ``ops_per_lane`` fully pipelined fp32 units (TPUv2's: 128 lanes of 8 sublanes with
2 ALUs each). An add, multiply, maximum, compare, select or conversion is one operation of one unit, so a
multiply-add is two. Longer functions are counted in such operations; the counts are ours:

* reciprocal 4: seed and one Newton step x(2 − d·x);
* reciprocal square root 6: seed and one Newton step ½x(3 − d·x²);
* exponential, logarithm 4: scaling, splitting into integer and fraction, table or unit look-up;
* sigmoid 10 = scale, exp, add, reciprocal; tanh 12 = 2·sigmoid(2x) − 1; gelu 19 = cubic, tanh, product.

Rows (softmax, norms, column sums) are reduced by trees across the units. The trees of successive row sets
follow each other, so a set costs one cycle for each reduction, and the depth of the last tree is exposed.
A row that does not fit the SRAM has to be read from HBM again for the pass behind the reduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray, ceil_div
from accmine.errors import InputError
from accmine.workload import BYTES, VECTOR_KINDS, Vector

__all__ = ["VECTOR_TABLE", "VectorKind", "VectorParts", "vector_cycles", "vector_parts"]


@dataclass(frozen=True, slots=True)
class VectorKind:
    """What a vector kind does for each element of its main tensor.

    Attributes
    ----------
    operations
        fp32 unit operations per element.
    has_row
        Elements belong to rows that one core has to see as a whole.
    reductions
        Trees over a row (softmax: maximum and sum).
    rereads
        Tensors of the main tensor's size that are read once more when a row does not fit the SRAM.
    """

    operations: int
    has_row: bool = False
    reductions: int = 0
    rereads: int = 0


def _row(operations: int, reductions: int, rereads: int = 0) -> VectorKind:
    return VectorKind(operations, True, reductions, rereads)


VECTOR_TABLE: dict[str, VectorKind] = {
    "embedding": VectorKind(1),
    "embedding-backward": VectorKind(2),  # scatter: convert and add
    "add": VectorKind(1),
    "add-backward": VectorKind(1),
    "multiply": VectorKind(1),
    "multiply-backward": VectorKind(2),
    "bias": VectorKind(1),
    "bias-backward": _row(1, 1),  # column sum
    "relu": VectorKind(1),
    "relu-backward": VectorKind(2),  # compare, select
    "relu6": VectorKind(2),
    "relu6-backward": VectorKind(3),
    "gelu": VectorKind(19),
    "gelu-backward": VectorKind(26),  # the tanh again, its derivative and the cubic's
    "silu": VectorKind(11),
    "silu-backward": VectorKind(15),  # sigmoid, s·(1 + x·(1 − s))·dy
    "sigmoid": VectorKind(10),
    "sigmoid-backward": VectorKind(3),
    "tanh": VectorKind(12),
    "tanh-backward": VectorKind(3),
    "hardswish": VectorKind(5),
    "hardswish-backward": VectorKind(7),  # two compares, slope 2, two selects, product; clamped ends
    "hardsigmoid": VectorKind(4),
    "hardsigmoid-backward": VectorKind(4),  # two compares, select, product
    "softmax": _row(8, 2, 1),  # max; subtract, exp, sum; scale
    "softmax-backward": _row(4, 1, 2),  # y·dy, sum; subtract, multiply
    "mask": VectorKind(1),
    "mask-backward": VectorKind(1),
    "scale": VectorKind(1),
    "scale-backward": VectorKind(1),
    "layer-norm": _row(7, 2, 1),  # sum, sum of squares; normalise; gamma, beta
    "layer-norm-backward": _row(13, 2, 2),  # statistics kept: x̂, dy·γ, two sums, dx, dγ and dβ
    "rms-norm": _row(4, 1, 1),
    "rms-norm-backward": _row(9, 1, 2),
    "batch-norm": _row(5, 2, 1),  # normalising and affine map are one scale and shift per channel
    "batch-norm-backward": _row(9, 2, 2),
    "batch-norm-statistics": VectorKind(3),  # sum, square, sum, while the input is written: no row is needed as a whole
    "batch-norm-apply": VectorKind(2),
    "batch-norm-statistics-backward": VectorKind(5),  # x̂ 2, product, two sums
    "batch-norm-apply-backward": VectorKind(4),  # a·dy + b·x + c
    "dropout": VectorKind(6),  # random number of a hardware generator 3, compare, select, scale
    "dropout-backward": VectorKind(2),
    "max-pool": _row(2, 1),  # compare, select the index
    "max-pool-backward": VectorKind(2),
    "avg-pool": _row(1, 1),
    "avg-pool-backward": VectorKind(1),
    "concat": VectorKind(1),
    "concat-backward": VectorKind(1),
    "rotary": VectorKind(3),  # two products and a sum per element
    "rotary-backward": VectorKind(3),
    "top-k": _row(2, 1),  # one of k passes: maximum, and the place of the last one left out
    "top-k-backward": VectorKind(1),
    "gather": VectorKind(1),
    "gather-backward": VectorKind(2),  # scatter: convert and add
    "combine": VectorKind(2),  # product and sum
    "combine-backward": _row(3, 1),  # times the weight; product with the row and sum
    "lstm-cell": VectorKind(15),  # per gate: (3 sigmoids, 2 tanh, 4 products and sums) / 4
    "lstm-cell-backward": VectorKind(19),  # per gate: the activations again, their derivatives and the products
    "cross-entropy": _row(9, 2, 1),  # log-softmax and probabilities
    "cross-entropy-backward": VectorKind(2),  # probabilities − one-hot, scaled
    # Parts of fused attention, block by block: nothing is read twice.
    "attention-softmax": _row(8, 2),  # scale, max, subtract, exp, sum
    "attention-softmax-backward": _row(9, 0),  # the probabilities again: scale, subtract, exp; dP − D, product, scale
    "attention-rescale": VectorKind(1),  # the accumulator to a new maximum, and last to the sum
    "attention-rescale-backward": VectorKind(2),  # D = rowsum(dO∘O)
    "accumulate": VectorKind(1),
    "reduce": VectorKind(1),
    "sgd-update": VectorKind(7),  # momentum 2, step 2, weight decay 2, bf16 copy
    "adam-update": VectorKind(23),  # m 3, v 4, √v + ε 8, quotient 5, step 2, bf16 copy 1
    "adamw-update": VectorKind(25),  # Adam, and weight decay 2
    "lamb-update": VectorKind(29),  # Adam, weight decay 2, squares and sums of both norms 4
    # Each of two moments: look up and scale 2; largest of a block 2, scale 1, place among 256 values by halving 16.
    "adam-8bit-update": VectorKind(65),
    "adamw-8bit-update": VectorKind(67),
}
"""Kind -> its work; one entry for every name of ``accmine.workload.kinds.VECTOR_KINDS``."""


@dataclass(frozen=True)
class VectorParts:
    """The vector parts of many works as arrays of shape (parts,).

    Attributes
    ----------
    work
        Index of the work each part belongs to, in order.
    operations, reductions
        Unit operations per element; trees per row.
    elements, row
        Elements of the main tensor; elements of a row (1 where no row is needed).
    row_bytes, reread_bytes
        Size of a row; bytes read again when that does not fit the SRAM.
    element_bytes
        Bytes of an element.
    """

    work: IntArray
    operations: IntArray
    reductions: IntArray
    elements: IntArray
    row: IntArray
    row_bytes: IntArray
    reread_bytes: IntArray
    element_bytes: IntArray

    @property
    def rows(self) -> IntArray:
        """Units of independent work: rows, or elements where there are none."""
        return np.asarray(ceil_div(self.elements, self.row), dtype=np.int64)


def vector_parts(vectors: Sequence[Sequence[Vector]], dtypes: Sequence[str]) -> VectorParts:
    """Gather the parts of each work; ``dtypes`` are the works' element types.

    Raises
    ------
    InputError
        If a kind or dtype is unknown, or a part has no elements.
    """
    columns: list[tuple[int, int, int, int, int, int, int, int]] = []
    for work, (parts, dtype) in enumerate(zip(vectors, dtypes, strict=True)):
        if dtype not in BYTES:
            raise InputError(f"unknown dtype {dtype!r}; allowed: {', '.join(BYTES)}")
        size = BYTES[dtype]
        for part in parts:
            kind = VECTOR_TABLE.get(part.kind)
            if kind is None:
                raise InputError(f"unknown vector kind {part.kind!r}; allowed: {', '.join(VECTOR_KINDS)}")
            if part.elements * max(64, 8 * kind.operations) > np.iinfo(np.int64).max:
                raise InputError(f"vector part {part.kind} of {part.elements} elements is too large for 64-bit counts")
            if part.elements < 1 or part.row < 1:
                raise InputError(f"vector part {part.kind}: elements and row must be positive, got {part}")
            row = min(part.row, part.elements) if kind.has_row else 1
            columns.append(
                (
                    work,
                    kind.operations,
                    kind.reductions if row > 1 else 0,
                    part.elements,
                    row,
                    row * size,
                    kind.rereads * part.elements * size,
                    size,
                )
            )
    table = np.array(columns, dtype=np.int64).reshape(-1, 8).T
    return VectorParts(*table)


def vector_cycles(
    operations: npt.ArrayLike,
    reductions: npt.ArrayLike,
    elements: npt.ArrayLike,
    row: npt.ArrayLike,
    width: npt.ArrayLike,
    split: npt.ArrayLike = 1,
) -> IntArray:
    """Cycles of a vector part spread evenly over ``split`` cores of ``width`` = lanes · ops_per_lane units.

    Whole rows go to a core: e = ⌈rows/split⌉·row elements on the busiest one. Cycles = ⌈e/width⌉ · operations
    + reductions · (row sets + depth), a set being the rows that fill the units once (one row where it is
    longer than that) and depth = ⌈log2 min(row, width)⌉. All arguments broadcast. The caller rules out more cores than
    rows.
    """
    arrays = (np.asarray(x, dtype=np.int64) for x in (operations, reductions, elements, row, width, split))
    operations_, reductions_, elements_, row_, width_, split_ = arrays
    rows = ceil_div(ceil_div(elements_, row_), split_)
    busiest = np.minimum(rows * row_, elements_)
    sets = ceil_div(rows, np.maximum(1, width_ // row_))
    depth = np.ceil(np.log2(np.minimum(row_, width_))).astype(np.int64)
    return np.asarray(ceil_div(busiest, width_) * operations_ + reductions_ * (sets + depth), dtype=np.int64)
