"""Operator graphs: tensors, operators, the work each operator is, and their order.

A graph is a tuple of small frozen records; what the solvers need (edges, distinct works) is derived
once as numpy arrays. Twenty thousand operators take well under a second.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.workload.work import Attention, Gemm, Vector, Work

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "BYTES",
    "MOST_BYTES",
    "MOST_MACS",
    "MOST_OPERATORS",
    "Attention",
    "Gemm",
    "GraphBuilder",
    "Operator",
    "OperatorGraph",
    "Phase",
    "Role",
    "Tensor",
    "Vector",
    "Work",
    "collector_paused",
]

Phase = Literal["forward", "backward", "update"]
Role = Literal["input", "constant", "parameter", "activation", "gradient", "state"]
"""``input``: data of the batch; ``constant``: the same for all batches (a causal mask); ``parameter``: trained
weights; ``state``: optimiser state, running statistics and master weights; ``gradient``: of a parameter or an
activation."""

BYTES: dict[str, int] = {"bf16": 2, "fp16": 2, "fp32": 4, "tf32": 4, "int32": 4, "int8": 1, "fp8": 1, "bool": 1}
"""Bytes per element of every dtype; a mask (``bool``) takes one byte."""

MOST_OPERATORS = 500_000
"""Operators of a forward graph; those of a training step are some four times as many."""
MOST_BYTES = MOST_MACS = 2**60
"""Bytes of all tensors, and multiply-accumulates of all operators: sums and traffic stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value that operators exchange."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: Role

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return prod(self.shape) * BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of a training graph.

    Attributes
    ----------
    name
        Unique in its graph.
    kind
        A name of ``accmine.workload.kinds`` (or of its backward and update kinds).
    inputs, outputs
        Indices into the graph's tensors.
    phase
        ``forward``, ``backward`` or ``update``.
    layer
        Index into the graph's layer chain; backward and update operators carry the layer of the
        forward operator they belong to.
    work
        What it costs.
    attributes
        (key, value) pairs such as ("stride", 2), sorted by key.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    phase: Phase
    layer: int
    work: Work
    attributes: tuple[tuple[str, int | float | str | tuple[int, ...]], ...] = ()

    def attribute(self, key: str, default: int = 0) -> int | float | str | tuple[int, ...]:
        """Value of attribute ``key``."""
        return next((value for name, value in self.attributes if name == key), default)


@dataclass(frozen=True, eq=False)  # compared by identity: graphs are keys of caches
class OperatorGraph:
    """A directed acyclic graph of operators, in a topological order, linked by tensors.

    Attributes
    ----------
    name
        Of the workload.
    tensors, operators
        Every tensor has at most one producer, and it stands before its consumers.
    layers
        Names of the layer chain, in order; ``Operator.layer`` indexes it.
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    layers: tuple[str, ...]
    after: tuple[tuple[int, int], ...] = field(default=())
    """Extra (before, after) orders between operators that no tensor carries."""

    def __len__(self) -> int:
        return len(self.operators)

    @cached_property
    def producer(self) -> npt.NDArray[np.int64]:
        """Operator that writes each tensor, -1 for a tensor from outside; shape (tensors,)."""
        producer = np.full(len(self.tensors), -1, dtype=np.int64)
        for index, operator in enumerate(self.operators):
            producer[list(operator.outputs)] = index
        return producer

    @cached_property
    def edges(self) -> npt.NDArray[np.int64]:
        """Distinct (before, after) pairs of operator indices, sorted; shape (edges, 2)."""
        producer = self.producer.tolist()
        pairs = set(self.after)
        for index, operator in enumerate(self.operators):
            for tensor in operator.inputs:
                if producer[tensor] >= 0:
                    pairs.add((producer[tensor], index))
        return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)

    @cached_property
    def works(self) -> tuple[Work, ...]:
        """The distinct works, in order of first appearance."""
        return tuple(dict.fromkeys(operator.work for operator in self.operators))

    @cached_property
    def work_index(self) -> npt.NDArray[np.int64]:
        """Index into ``works`` of each operator; shape (operators,)."""
        index = {work: i for i, work in enumerate(self.works)}
        return np.array([index[operator.work] for operator in self.operators], dtype=np.int64)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all operators."""
        return sum(operator.work.macs for operator in self.operators)

    @cached_property
    def parameters(self) -> int:
        """Elements of all distinct parameter tensors."""
        return sum(tensor.elements for tensor in self.tensors if tensor.role == "parameter")

    def select(self, keep: Iterable[int], name: str | None = None) -> OperatorGraph:
        """The subgraph of the operators ``keep`` (kept in their order), with the tensors they touch."""
        chosen = sorted(set(keep))
        operators = [self.operators[i] for i in chosen]
        used = sorted({t for operator in operators for t in (*operator.inputs, *operator.outputs)})
        tensor_at = {t: i for i, t in enumerate(used)}
        operator_at = {o: i for i, o in enumerate(chosen)}
        return OperatorGraph(
            name=name or self.name,
            tensors=tuple(self.tensors[t] for t in used),
            operators=tuple(
                Operator(
                    o.name,
                    o.kind,
                    tuple(tensor_at[t] for t in o.inputs),
                    tuple(tensor_at[t] for t in o.outputs),
                    o.phase,
                    o.layer,
                    o.work,
                    o.attributes,
                )
                for o in operators
            ),
            layers=self.layers,
            after=tuple(
                (operator_at[a], operator_at[b]) for a, b in self.after if a in operator_at and b in operator_at
            ),
        )

    def phase(self, *phases: Phase) -> OperatorGraph:
        """The subgraph of the operators of these phases."""
        return self.select(i for i, operator in enumerate(self.operators) if operator.phase in phases)

    def networkx(self) -> nx.DiGraph:
        """The same graph for networkx: nodes are operator names, with kind, phase, layer, macs and bytes as data."""
        import networkx as nx

        graph = nx.DiGraph(name=self.name)
        for operator in self.operators:
            graph.add_node(
                operator.name,
                kind=operator.kind,
                phase=operator.phase,
                layer=self.layers[operator.layer],
                macs=operator.work.macs,
                bytes=operator.work.bytes_in + operator.work.bytes_out,
            )
        names = [operator.name for operator in self.operators]
        graph.add_edges_from((names[a], names[b]) for a, b in self.edges.tolist())
        return graph


class GraphBuilder:
    """Grows an ``OperatorGraph``; operators may only read tensors that exist."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.layers: list[str] = []
        self.after: list[tuple[int, int]] = []
        self._names: set[str] = set()
        self._sizes: list[int] = []  # bytes of each tensor
        self._bytes = self._macs = 0

    @classmethod
    def extend(cls, graph: OperatorGraph) -> GraphBuilder:
        """A builder that starts with everything of ``graph``."""
        builder = cls(graph.name)
        builder.tensors = list(graph.tensors)
        builder.operators = list(graph.operators)
        builder.layers = list(graph.layers)
        builder.after = list(graph.after)
        builder._names = {operator.name for operator in graph.operators}
        builder._sizes = [tensor.nbytes for tensor in graph.tensors]
        builder._bytes = sum(builder._sizes)
        builder._macs = graph.macs
        return builder

    def layer(self, name: str) -> int:
        """Open the next layer of the chain; operators added from now on belong to it."""
        self.layers.append(name)
        return len(self.layers) - 1

    def tensor(self, name: str, shape: Sequence[int], dtype: str = "bf16", role: Role = "activation") -> int:
        """Add a tensor; returns its index."""
        if dtype not in BYTES:
            raise ValueError(f"tensor {name}: unknown dtype {dtype!r}; known: {', '.join(BYTES)}")
        if min(shape, default=1) < 1:
            raise ValueError(f"tensor {name}: sizes must be positive, got {tuple(shape)}")
        self.tensors.append(Tensor(name, tuple(shape), dtype, role))
        self._sizes.append(prod(shape) * BYTES[dtype])
        self._bytes += self._sizes[-1]
        if self._bytes > MOST_BYTES:
            raise InputError(f"tensors up to {name} {list(shape)} take {self._bytes:,} bytes; allowed: {MOST_BYTES:,}")
        return len(self.tensors) - 1

    def operator(
        self,
        name: str,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        gemm: Gemm | tuple[int, int, int, int] | None = None,
        gemm_elements: tuple[int, int, int] | None = None,
        attention: Attention | None = None,
        vector: Sequence[Vector] = (),
        phase: Phase = "forward",
        layer: int | None = None,
        attributes: dict[str, int | float | str | tuple[int, ...]] | None = None,
        bytes_in: int | None = None,
        bytes_out: int | None = None,
    ) -> int:
        """Add an operator; returns its index.

        ``gemm`` is a product, or (m, k, n, batch) of a plain one, for which ``gemm_elements`` are the
        sizes of the real operands (default: those of m, k, n and batch). ``bytes_in`` and ``bytes_out``
        default to the sizes of the distinct input and output tensors: give them where less is touched
        (rows of an embedding table).
        """
        if name in self._names:
            raise ValueError(f"duplicate operator name {name!r}")
        self._names.add(name)
        product = gemm if isinstance(gemm, Gemm) else None
        if isinstance(gemm, tuple):
            m, k, n, batch = gemm
            a, b, c = gemm_elements or (batch * m * k, batch * k * n, batch * m * n)
            product = Gemm(m, k, n, batch, a, b, c)
        for part in (product, attention):
            self._macs += 0 if part is None else part.macs
            if self._macs > MOST_MACS:
                message = f"operators up to {name} take {self._macs:,} multiply-accumulates; allowed: {MOST_MACS:,}"
                raise InputError(message)
        main = self.tensors[(inputs or outputs)[0]].dtype
        work = Work(
            product,
            tuple(vector),
            sum(map(self._sizes.__getitem__, set(inputs))) if bytes_in is None else bytes_in,
            sum(map(self._sizes.__getitem__, outputs)) if bytes_out is None else bytes_out,
            main,
            attention=attention,
        )
        self.operators.append(
            Operator(
                name,
                kind,
                tuple(inputs),
                tuple(outputs),
                phase,
                len(self.layers) - 1 if layer is None else layer,
                work,
                tuple(sorted((attributes or {}).items())),
            )
        )
        return len(self.operators) - 1

    def mark(self, operators: Iterable[int], key: str, value: int) -> None:
        """Give operators one more attribute."""
        for index in operators:
            operator = self.operators[index]
            attributes = tuple(sorted({**dict(operator.attributes), key: value}.items()))
            self.operators[index] = replace(operator, attributes=attributes)

    def build(self) -> OperatorGraph:
        """The finished graph."""
        return OperatorGraph(
            self.name, tuple(self.tensors), tuple(self.operators), tuple(self.layers), tuple(self.after)
        )


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cyclic garbage collection meanwhile.

    Graphs are 10^5 small records without cycles: passes over them would be half of the time of building one.
    Also a decorator.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
