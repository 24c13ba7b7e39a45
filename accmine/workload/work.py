"""What an operator costs any hardware: its matrix product, its vector parts and its traffic.

Equal works have equal costs on equal cores; works are hashable, and tables of costs have one row per
distinct work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Attention", "Gemm", "Vector", "Work", "seen"]


LSE_BYTES = 4
"""Log-sum-exp of a row of scores, in fp32: what the backward pass needs to make its probabilities again."""

RESCALED_KEYS = 128
"""Keys after which a row's accumulator is rescaled to its new maximum; as many as a usual block of keys has."""


@dataclass(frozen=True, slots=True)
class Gemm:
    """``batch`` independent products C[m,n] = A[m,k] · B[k,n].

    A convolution is its im2col product (m = images·OH·OW, k = Cin/groups·kh·kw, n = Cout/groups,
    batch = groups); its gradients are the transposed products (``accmine.workload.forward.convolution``).

    Attributes
    ----------
    m, k, n, batch
        Sizes of the product, and how many independent ones there are.
    a_elements, b_elements, c_elements
        Elements of the real operand tensors over the whole batch: for a convolution A is the image,
        smaller than batch·m·k.
    inserted
        Multiply-accumulates by an inserted zero: those that an implementation would execute *in
        addition* if it stored the zeros that a stride puts between output gradients, or a dilation
        between the taps of a kernel. They are counted, not executed: ``macs`` leaves them out. 0 for
        plain products.
    halo_elements
        Elements, over the whole batch, that two neighbouring pieces of one image share: what one more cut of
        ``halo_axis`` inside an image reads again. With P pieces of n images P - gcd(P, n) cuts fall inside
        images, as images come first. 0 for plain products and wherever windows do not overlap.
    halo_axis
        The axis of the product that runs over images and rows of an image: ``m`` (forward product
        and input gradient: the shared rows are of A) or ``k`` (weight gradient: of B, the image).
    images
        Images along ``halo_axis``; a cut between two images shares nothing. 1 where there is no halo, so
        that equal products stay equal.
    """

    m: int
    k: int
    n: int
    batch: int
    a_elements: int
    b_elements: int
    c_elements: int
    inserted: int = 0
    halo_elements: int = 0
    halo_axis: Literal["m", "k"] = "m"
    images: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates; borders of padded images count, inserted zeros do not."""
        return self.batch * self.m * self.k * self.n


def seen(blocks: Any, block: Any, keys: Any, window: Any) -> Any:
    """Sum over ``blocks`` blocks of ``block`` rows each of the keys that a block reaches under a causal mask.

    Row i sees the keys of max(0, i - window + 1) to i, so block j reaches min(j·block, block + window - 1, keys)
    of them. With blocks of one row it is the number of scores. By symmetry it is also the sum over blocks of keys
    of the rows that see them. Integers or arrays of integers.
    """
    most = np.minimum(keys, block + window - 1)
    growing = np.minimum(blocks, most // block)
    return block * (growing * (growing + 1) // 2) + (blocks - growing) * most


@dataclass(frozen=True, slots=True)
class Attention:
    """``batch`` independent fused attentions: scores are made, weighed and used block by block, and never stored.

    The forward pass has two products of every score's row and column, Q·Kᵀ and P·V. The backward pass has five:
    Q·Kᵀ again, dO·Vᵀ, Pᵀ·dO, dSᵀ·Q and dS·K (Dao 2023, FlashAttention-2). Only scores that the mask lets through
    are counted.

    Attributes
    ----------
    batch
        Samples × key heads.
    group
        Query heads that share a key head.
    queries, keys
        Tokens on either side of the scores, of one head.
    width, value_width
        Columns of a query or key, and of a value, of one head.
    causal
        Query i sees keys up to the i-th; queries and keys are the same tokens.
    window
        Most keys that a query sees, the last of them its own; 0 for all. Above 0 only where ``causal``.
    dropout
        Whether probabilities are dropped. The mask is made again from its random numbers, never stored.
    backward
        Whether it is the backward pass.
    """

    batch: int
    group: int
    queries: int
    keys: int
    width: int
    value_width: int
    causal: bool = False
    window: int = 0
    dropout: bool = False
    backward: bool = False

    @property
    def rows(self) -> int:
        """Rows of queries that share the keys of one unit of the batch."""
        return self.group * self.queries

    @property
    def reach(self) -> int:
        """Most keys that a query sees."""
        return self.window or self.keys

    @property
    def scores(self) -> int:
        """Scores that the mask lets through, of all units."""
        one = seen(self.queries, 1, self.keys, self.reach) if self.causal else self.queries * self.keys
        return self.batch * self.group * int(one)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all products."""
        per_score = 3 * self.width + 2 * self.value_width if self.backward else self.width + self.value_width
        return self.scores * per_score

    @property
    def key_elements(self) -> int:
        """Elements of keys and values."""
        return self.batch * self.keys * (self.width + self.value_width)

    @property
    def query_elements(self) -> int:
        """Elements of queries and of what is read out."""
        return self.batch * self.rows * (self.width + self.value_width)

    def bytes(self, element_bytes: int) -> int:
        """Operands read and written once: q, k, v, o and the fp32 log-sum-exp of each row; backward also all gradients.

        Backward reads q, k, v, o, the log-sum-exp and the gradient of o, and writes those of q, k and v.
        """
        elements = self.query_elements + self.key_elements
        if self.backward:
            # do and dq are as large as o and q together, dk and dv as k and v
            elements *= 2
        return elements * element_bytes + LSE_BYTES * self.batch * self.rows

    @property
    def parts(self) -> tuple[Vector, ...]:
        """Vector work of the pass, beside that of masks: see ``accmine.cost.vector``."""
        scores, rows = self.scores, self.batch * self.rows
        row, read_out = -(-scores // rows), rows * self.value_width
        dropout = Vector("dropout", scores)
        own: tuple[Vector, ...]
        if self.backward:
            own = (Vector("attention-rescale-backward", read_out), Vector("attention-softmax-backward", scores, row))
            return (*own, dropout, Vector("dropout-backward", scores)) if self.dropout else own
        rescaled = read_out * (1 + -(-row // RESCALED_KEYS))
        own = (Vector("attention-softmax", scores, row), Vector("attention-rescale", rescaled))
        return (*own, dropout) if self.dropout else own


@dataclass(frozen=True, slots=True)
class Vector:
    """Work of a vector core: ``elements`` of its main tensor, reduced along rows of ``row`` elements.

    ``kind`` is a key of ``accmine.workload.kinds.VECTOR_KINDS``; ``row`` is 1 for element-wise work.
    """

    kind: str
    elements: int
    row: int = 1


@dataclass(frozen=True, slots=True)
class Work:
    """What an operator costs any hardware: equal works have equal costs on equal cores.

    Attributes
    ----------
    gemm
        Its matrix product, or ``None`` for an operator without a single one.
    vector
        Its vector parts in order; empty for a pure tensor operator. An operator with both is fused:
        it holds a tensor core and a vector core.
    bytes_in, bytes_out
        Compulsory traffic with HBM: each input tensor read once, each output tensor written once.
    dtype
        Element type of the operands of the product, or of the main tensor of a vector operator.
    local
        (needed bytes, saved bytes), ascending, one entry per need: traffic within ``bytes_in +
        bytes_out`` that vanishes where an SRAM of the needed bytes holds tensors between operators.
        Empty unless ``accmine.workload.residency.resident`` has filled it in;
        ``accmine.workload.residency.local_bytes`` sums it up.
    attention
        Its fused attention; ``gemm`` is ``None`` then.
    paired
        A fused operator holds as many vector cores as tensor cores (``fusion: paired``, WHAM's rule); else each side
        takes the cores it takes.
    """

    gemm: Gemm | None
    vector: tuple[Vector, ...]
    bytes_in: int
    bytes_out: int
    dtype: str
    local: tuple[tuple[int, int], ...] = ()
    paired: bool = False
    attention: Attention | None = None

    @property
    def uses_tensor(self) -> bool:
        """Whether arrays multiply anything."""
        return self.gemm is not None or self.attention is not None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the products."""
        return sum(part.macs for part in (self.gemm, self.attention) if part is not None)

    @property
    def repeated_macs(self) -> int:
        """Those that make scores again, which the forward pass did not keep: none of a model's own."""
        attention = self.attention
        return attention.scores * attention.width if attention is not None and attention.backward else 0
