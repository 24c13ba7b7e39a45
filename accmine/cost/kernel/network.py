"""Kernels of a whole network: those of its distinct products, with how often each occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from accmine.cost.kernel.generate import product_kernel
from accmine.kernel.architecture import Architecture, Kernel
from accmine.workload import BYTES, OperatorGraph
from accmine.workload.graph import Operator, Work

__all__ = ["OperatorKernel", "network_kernels", "work_kernel"]


@dataclass(frozen=True)
class OperatorKernel:
    """The kernel of all operators of a graph that are the same product.

    Attributes
    ----------
    operator
        The first of them.
    count
        How many there are.
    kernel
        ``None`` where an architecture of products has none.
    reason
        Why it has none; empty where there is one.
    """

    operator: Operator
    count: int
    kernel: Kernel | None
    reason: str = ""


def work_kernel(architecture: Architecture, work: Work, name: str = "") -> Kernel | str:
    """The kernel of the product of a work, or why there is none.

    A convolution is its im2col product (m = images · OH · OW, k = Cin / groups · kh · kw, n = Cout / groups); its
    groups run one after the other, so that each channel of a depthwise one is a product of its own. Vector parts
    that are fused to it are left out.

    Raises
    ------
    InputError
        As ``product_kernel``.
    """
    if work.attention is not None:
        return "fused attention: scores are made and used block by block, which is no single product"
    gemm = work.gemm
    if gemm is None:
        return "no product: work of a vector unit, or moves of tensors"
    size = BYTES[work.dtype]
    return product_kernel(architecture, gemm.m, gemm.n, gemm.k, batch=gemm.batch, element_bytes=size, name=name)


def network_kernels(workload: OperatorGraph | Iterable[Operator], architecture: Architecture) -> list[OperatorKernel]:
    """Kernels of the operators of a graph, equal ones once, in order of first appearance.

    Operators are equal where sizes of the product and bytes per element are: of what else they differ in, a
    description of products knows nothing. A training graph has its backward products too.

    Parameters
    ----------
    workload
        A graph, or operators of one (``graph.phase("forward").operators``).

    Raises
    ------
    InputError
        If the architecture does not say how a product runs on it, or the mapping does not fit.
    """
    operators = workload.operators if isinstance(workload, OperatorGraph) else tuple(workload)
    counts: Counter[tuple[object, ...]] = Counter()
    firsts: dict[tuple[object, ...], Operator] = {}
    for operator in operators:
        key = _key(operator.work)
        counts[key] += 1
        firsts.setdefault(key, operator)
    out = []
    for key, operator in firsts.items():
        made = work_kernel(architecture, operator.work, operator.name)
        kernel, reason = (None, made) if isinstance(made, str) else (made, "")
        out.append(OperatorKernel(operator, counts[key], kernel, reason))
    return out


def _key(work: Work) -> tuple[object, ...]:
    if work.attention is not None:
        return (work.attention,)
    gemm = work.gemm
    return () if gemm is None else (gemm.m, gemm.k, gemm.n, gemm.batch, BYTES[work.dtype])
