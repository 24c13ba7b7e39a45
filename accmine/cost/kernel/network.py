"""Kernels of a whole network: those of its distinct products, with how often each occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from accmine.cost.kernel.generate import mapped_kernel
from accmine.cost.kernel.mapping import Product, convolution_product, rule_of
from accmine.kernel.architecture import Architecture, Kernel
from accmine.workload import BYTES, OperatorGraph
from accmine.workload.forward.convolution import convolution_of
from accmine.workload.graph import Operator, Tensor

__all__ = ["OperatorKernel", "network_kernels"]


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


def network_kernels(graph: OperatorGraph, architecture: Architecture) -> list[OperatorKernel]:
    """Kernels of the operators of a graph, equal ones once, in order of first appearance.

    A convolution is its im2col product (m = images · OH · OW, k = Cin / groups · kh · kw, n = Cout / groups), which
    knows its taps and rows where the description tells them apart; its groups run one after the other, so that each
    channel of a depthwise one is a product of its own. Gradients of convolutions are products without taps. Vector
    parts that are fused to a product are left out.

    Operators are equal where sizes of the product, taps and rows if they matter, and bytes per element are: of what
    else they differ in, a description of products knows nothing. A training graph has its backward products too.

    Raises
    ------
    InputError
        If the architecture does not say how a product runs on it, or the mapping does not fit.
    """
    of_convolutions = rule_of(architecture).of_convolutions
    counts: Counter[Product | str] = Counter()
    firsts: dict[Product | str, Operator] = {}
    for operator in graph.operators:
        product = _product(operator, graph.tensors if of_convolutions else ())
        counts[product] += 1
        firsts.setdefault(product, operator)
    out = []
    for product, operator in firsts.items():
        made = None if isinstance(product, str) else mapped_kernel(architecture, product, name=operator.name)
        out.append(OperatorKernel(operator, counts[product], made, product if isinstance(product, str) else ""))
    return out


def _product(operator: Operator, tensors: Sequence[Tensor]) -> Product | str:
    """The product of an operator, or why there is none; with the taps of a convolution if there are tensors."""
    work = operator.work
    if work.attention is not None:
        return "fused attention: scores are made and used block by block, which is no single product"
    gemm = work.gemm
    if gemm is None:
        return "no product: work of a vector unit, or moves of tensors"
    size = BYTES[work.dtype]
    if operator.kind == "conv2d" and tensors:
        return convolution_product(convolution_of(operator, tensors), size)
    return Product(gemm.m, gemm.n, gemm.k, gemm.batch, size)
