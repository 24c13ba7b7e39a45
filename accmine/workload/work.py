"""What an operator costs any hardware: its matrix product, its vector parts and its traffic.

Equal works have equal costs on equal cores; works are hashable, and tables of costs have one row per
distinct work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Gemm", "Vector", "Work"]


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
        Its matrix product, or ``None`` for a pure vector operator.
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

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the product."""
        return 0 if self.gemm is None else self.gemm.macs
