"""The layers of a network and what flows between them: its convolutions and linear layers, all else contracted.

Norms, activations, pools, sums and gates are taken to cost nothing and to pass on what they are given; the products of
squeeze-and-excite blocks are layers like others. Side classifiers are left out: only training has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from accmine.errors import InputError
from accmine.sparse.folding import divisors
from accmine.sparse.layer import Layer, Level, binomial
from accmine.workload.forward.convolution import convolution_of
from accmine.workload.graph import Operator, OperatorGraph, Tensor
from accmine.workload.kinds import ATTENTION_KINDS, EXCHANGE_KINDS

__all__ = ["DENSE_LEVEL", "MOST_CLUSTER", "network_layers"]

DENSE_LEVEL = "dense"
"""Name of the only level of a layer that nothing is known of: no product is zero."""

MOST_CLUSTER = 16
"""Input channels of a pointwise layer that are side by side in a window, at most."""

_RECTIFIERS = ("relu", "relu6")
_REFUSED = (*ATTENTION_KINDS, *EXCHANGE_KINDS, "matmul", "embedding", "lstm-cell", "gather", "combine")


def network_layers(
    graph: OperatorGraph, most_cluster: int = MOST_CLUSTER
) -> tuple[tuple[Layer, ...], tuple[tuple[int, int], ...]]:
    """Layers of a forward graph on one image, and pairs of them between which data flow.

    Parameters
    ----------
    graph
        ``accmine.workload.forward_graph(model, batch=1, dropout=False, loss=False)``; a loss is ignored.
    most_cluster
        Windows of 1 x 1 layers have the largest divisor of the input channels of a group up to this.

    Returns
    -------
    layers
        In the order of the graph, named as its operators, each with the one level ``DENSE_LEVEL``.
    edges
        (from, to) indices of layers, sorted: a path of other operators joins them.

    Raises
    ------
    InputError
        If the graph has products that are no convolution or linear layer, a batch, or dilated windows.
    """
    needed = _needed(graph)
    layers: list[Layer] = []
    edges: set[tuple[int, int]] = set()
    streams: dict[int, _Stream] = {}
    for index, operator in enumerate(graph.operators):
        if index not in needed:
            continue
        if operator.phase != "forward" or operator.kind in _REFUSED:
            raise InputError(
                f"{graph.name}: {operator.name} is of kind {operator.kind}; "
                "a dataflow accelerator takes forward graphs of convolutions and linear layers"
            )
        given = [streams.get(tensor, _OUTSIDE) for tensor in operator.inputs]
        if operator.kind in ("conv2d", "linear"):
            layers.append(_layer(graph, operator, given[0].zeros, most_cluster))
            own = frozenset((len(layers) - 1,))
            edges |= {(source, len(layers) - 1) for source in given[0].sources}
            found = _Stream(own, own, Fraction(0))
        else:
            found = _passed_on(operator, given, _zeros(operator, graph.tensors, [own.zeros for own in given]))
        streams |= dict.fromkeys(operator.outputs, found)
    if not layers:
        raise InputError(f"{graph.name} has no convolution and no linear layer")
    return tuple(layers), tuple(sorted(edges))


@dataclass(frozen=True, slots=True)
class _Stream:
    """A tensor on its way: the layers that give it, those whose width it has, and its share of zeros."""

    sources: frozenset[int]
    width: frozenset[int]
    zeros: Fraction


_OUTSIDE = _Stream(frozenset(), frozenset(), Fraction(0))


def _passed_on(operator: Operator, given: list[_Stream], zeros: Fraction) -> _Stream:
    """What an operator makes of its inputs.

    A sum or a gated map is one stream, as wide as the operand that is made last gives it. So what was summed before
    comes into the next sum with that width: sources of shortcuts do not pile up block after block.
    """
    if operator.kind in ("add", "multiply"):
        last = max((own.width for own in given), key=lambda width: max(width, default=-1))
        return _Stream(frozenset().union(*(own.width for own in given)), last, zeros)
    sources = frozenset().union(*(own.sources for own in given))
    return _Stream(sources, frozenset().union(*(own.width for own in given)), zeros)


def _needed(graph: OperatorGraph) -> set[int]:
    """Operators that the last one depends on: side classifiers are not among them."""
    producer = graph.producer.tolist()
    needed: set[int] = set()
    ahead = [len(graph.operators) - 1] if graph.operators else []
    while ahead:
        index = ahead.pop()
        if index not in needed:
            needed.add(index)
            ahead += [producer[tensor] for tensor in graph.operators[index].inputs if producer[tensor] >= 0]
    return needed


def _layer(graph: OperatorGraph, operator: Operator, zeros: Fraction, most_cluster: int) -> Layer:
    if operator.kind == "linear":
        return _linear(graph, operator, zeros, most_cluster)
    own = convolution_of(operator, graph.tensors)
    if own.images != 1:
        raise InputError(f"{graph.name}: {own.images} images; a batch of 1 is needed", field="batch")
    height, width = own.height, own.width
    if (height.dilation, width.dilation) != (1, 1):
        raise InputError(f"{graph.name}: {operator.name} has dilated windows, which line buffers are not modelled for")
    kernel = (height.kernel, width.kernel)
    cluster = _cluster(own.channels // own.groups, most_cluster) if kernel == (1, 1) else 1
    return Layer(
        operator.name,
        own.channels,
        own.out,
        kernel,
        (height.size, width.size),
        (height.outputs, width.outputs),
        own.groups,
        cluster,
        (_dense(prod(kernel) * cluster),),
        (height.stride, width.stride),
        (height.before, height.after, width.before, width.after),
        zeros,
    )


def _linear(graph: OperatorGraph, operator: Operator, zeros: Fraction, most_cluster: int) -> Layer:
    """A linear layer as a pointwise one: its rows are positions."""
    gemm = operator.work.gemm
    assert gemm is not None
    if gemm.batch != 1 or len(operator.outputs) != 1 or operator.attribute("inputs_x", 1) != 1:
        raise InputError(f"{graph.name}: {operator.name} is no plain linear layer; one input and one output are needed")
    if graph.tensors[operator.outputs[0]].shape[0] != 1:
        raise InputError(f"{graph.name}: {operator.name} has a batch; a batch of 1 is needed", field="batch")
    cluster = _cluster(gemm.k, most_cluster)
    size, level = (gemm.m, 1), _dense(cluster)
    return Layer(
        operator.name, gemm.k, gemm.n, size_in=size, size_out=size, cluster=cluster, levels=(level,), zeros=zeros
    )


def _cluster(channels: int, most: int) -> int:
    return max(number for number in divisors(channels) if number <= max(1, most))


def _dense(window: int) -> Level:
    return Level(DENSE_LEVEL, (binomial(window, Fraction(1)),), source=DENSE_LEVEL)


def _zeros(operator: Operator, tensors: Sequence[Tensor], given: list[Fraction]) -> Fraction:
    """Share of zeros behind an operator where those of its inputs are independent.

    Half of what a ReLU gives: inputs are taken to be symmetric around 0, which norms do not ensure. An operator that
    moves or mixes values leaves none.
    """
    match operator.kind:
        case kind if kind in _RECTIFIERS:
            return Fraction(1, 2)
        case "dropout":
            return given[0]
        case "max-pool":  # zero where the whole window is
            kernel = operator.attribute("kernel")
            assert isinstance(kernel, tuple)
            return given[0] ** prod(kernel)
        case "add":
            return prod(given, start=Fraction(1))
        case "multiply":
            return 1 - prod((1 - share for share in given), start=Fraction(1))
        case "concat":
            sizes = [tensors[tensor].elements for tensor in operator.inputs]
            return sum((share * size for share, size in zip(given, sizes, strict=True)), Fraction(0)) / sum(sizes)
        case _:
            return Fraction(0)
