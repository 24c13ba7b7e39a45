"""The tape of reverse-mode differentiation: which gradients exist so far, and the operators that made them.

Gradients of activations have the dtype of the tensor they belong to. A tensor with several consumers
collects one contribution from each; contributions of one layer are summed by one ``accumulate`` operator
in that layer, so at most one gradient per tensor crosses a boundary between layers. Gradients of
parameters are summed in place instead: every operator that writes one also reads what is there so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from accmine.workload.graph import Attention, Gemm, GraphBuilder, Operator, OperatorGraph, Vector

__all__ = ["DtypePolicy", "Tape"]


@dataclass(frozen=True)
class DtypePolicy:
    """Element types of training; keys of ``accmine.workload.graph.BYTES``.

    The default is mixed precision as in Megatron-LM: 2 bytes of weight, 4 of gradient, 4 of master weight
    and 8 of Adam state per parameter, 18 in all (14 with momentum SGD).

    Attributes
    ----------
    compute
        Of weights and activations; the forward graph must have been built in it.
    gradient
        Of the gradients of parameters. Gradients of activations are in ``compute``.
    master
        Of the weights that the optimiser updates; no separate copy is kept when it equals ``compute``.
    state
        Of the optimiser's moments, where the optimiser does not say itself.
    operands
        Of the operands of products of linear layers, which convert what they read; empty: ``compute``. The layer
        that makes logits and the products of attention stay in ``compute``.
    """

    compute: str = "bf16"
    gradient: str = "fp32"
    master: str = "fp32"
    state: str = "fp32"
    operands: str = ""


_Segment = tuple[int, int] | None
"""(layer, core) of operators that are run again together."""


@dataclass(slots=True)
class _Pending:
    """Contributions to one tensor's gradient, and the layer of the last one."""

    layer: int
    gradients: list[int]


NO_GRADIENT: dict[str, frozenset[int]] = {
    "dropout": frozenset({1}),
    "max-pool": frozenset({1}),
    "cross-entropy": frozenset({0, 1}),
    "attention": frozenset({1}),
    "top-k": frozenset({1}),
}
"""Outputs that no gradient flows through: masks, indices, log-sum-exps, and what lies behind the loss."""


def _needed(forward: OperatorGraph) -> list[bool]:
    """Whether each tensor needs a gradient: parameters, and whatever is computed from one."""
    needed = [tensor.role == "parameter" for tensor in forward.tensors]
    for operator in forward.operators:
        if any(needed[t] for t in operator.inputs):
            blocked = NO_GRADIENT.get(operator.kind, frozenset())
            for position, output in enumerate(operator.outputs):
                needed[output] = position not in blocked
    return needed


class Tape:
    """Backward operators of one forward graph, grown in reverse order.

    Parameters
    ----------
    forward
        Forward graph.
    policy
        Element types.
    accumulate
        Whether gradients of parameters are added to those of earlier microbatches.
    recompute
        ``none``; or what is run again before its backward operators: ``full`` for layers, ``selective`` for operators
        with an attribute ``core``, those of one layer with an equal one together.
    """

    def __init__(self, forward: OperatorGraph, policy: DtypePolicy, accumulate: bool, recompute: str) -> None:
        self.forward = forward
        self.builder = GraphBuilder.extend(forward)
        self.policy = policy
        self.accumulate = accumulate
        self.recompute = recompute
        self.needed = _needed(forward)
        self.running: dict[int, int] = {}
        """Parameter -> its gradient so far."""
        self._pending: dict[int, _Pending] = {}
        self._maker: dict[int, int] = {}
        self._entered: set[_Segment] = set()
        self._again: dict[_Segment, dict[int, int]] = {}
        self._gathered: dict[int, int] = {}
        self._producer = forward.producer.tolist()
        self._members: dict[_Segment, list[Operator]] = {}
        for operator in forward.operators:
            self._members.setdefault(self._segment(operator), []).append(operator)
        self._crossing = {
            t
            for operator in forward.operators
            for t in operator.inputs
            if (s := self._producer[t]) >= 0 and self._segment(forward.operators[s]) != self._segment(operator)
        }

    def _segment(self, operator: Operator) -> _Segment:
        """What is run again together with ``operator``; ``None`` where nothing is."""
        core = int(str(operator.attribute("core")))
        if self.recompute == "full":
            return operator.layer, 0
        return (operator.layer, core) if core and self.recompute == "selective" else None

    def wanted(self, tensors: Sequence[int]) -> list[int]:
        """Those of ``tensors`` that need a gradient, each once."""
        return [t for t in dict.fromkeys(tensors) if self.needed[t]]

    def gradients(self, operator: Operator) -> list[int]:
        """Complete gradients of the outputs of ``operator``; outputs nobody uses have none."""
        found = (self._settle(t) for t in operator.outputs if self.needed[t])
        return [gradient for gradient in found if gradient is not None]

    def read(self, operator: Operator, tensor: int) -> int:
        """The tensor that the backward of ``operator`` reads as forward ``tensor``: itself, or its recomputed copy."""
        source = self._producer[tensor]
        if source >= 0 and self.forward.operators[source].kind == "all-gather":
            return self._gather_again(self.forward.operators[source])
        again = self._again.get(self._segment(operator), {})
        return again.get(tensor, tensor) if self.inside(operator, tensor) else tensor

    def inside(self, operator: Operator, tensor: int) -> bool:
        """Whether only operators that are run again together with ``operator`` write and read ``tensor``."""
        source = self._producer[tensor]
        if source < 0 or tensor in self._crossing:
            return False
        return self._segment(self.forward.operators[source]) == self._segment(operator)

    def enter(self, operator: Operator, kept: Callable[[Operator], Iterable[int]]) -> None:
        """Begin the backward of ``operator``: run its segment again first, if that is wanted and needed.

        Only a segment (a layer, or the core of an attention) that a gradient reaches from behind is run again, and not
        before that gradient exists: the last layer, with the loss, goes straight from its forward into its backward
        and has everything at hand. ``kept`` names what the backward of an operator reads; a segment whose backward
        reads nothing from inside it is not run again either.
        """
        segment = self._segment(operator)
        if segment is None or segment in self._entered:
            return
        self._entered.add(segment)
        operators = self.forward.operators
        reached = [t for t in self._pending if (s := self._producer[t]) >= 0 and self._segment(operators[s]) == segment]
        members = self._members[segment]
        if reached and any(self.inside(member, t) for member in members for t in kept(member)):
            for tensor in reached:
                self._sum(tensor)
            made = {self._maker[self._pending[t].gradients[0]] for t in reached}
            self._again[segment] = self._run_again(members, sorted(made))

    def emit(
        self,
        operator: Operator,
        suffix: str,
        kind: str,
        reads: Sequence[int],
        wants: Sequence[int],
        *,
        gemm: Gemm | tuple[int, int, int, int] | None = None,
        elements: tuple[int, int, int] | None = None,
        attention: Attention | None = None,
        vector: Sequence[Vector] = (),
        read_bytes: int | None = None,
        rows_bytes: int | None = None,
    ) -> None:
        """Add a backward operator of ``operator`` and contribute what it writes.

        Parameters
        ----------
        reads
            Tensors read, the gradient of the output first.
        wants
            Forward tensors whose gradients are written. A parameter's gradient has the policy's dtype, and
            the gradient so far is read as a further input.
        gemm, elements, attention, vector
            Work, as for ``GraphBuilder.operator``.
        read_bytes
            Bytes of ``reads`` where less than all of them are touched.
        rows_bytes
            Bytes of the one gradient in ``wants`` that are added to (rows of an embedding table).
        """
        builder, tensors = self.builder, self.forward.tensors
        name = f"{operator.name}.{suffix}"
        inputs, outputs = list(reads), []
        written, so_far = list[int](), list[int]()
        for position, want in enumerate(wants):
            tensor = tensors[want]
            is_parameter = tensor.role == "parameter"
            dtype = self.policy.gradient if is_parameter else tensor.dtype
            outputs.append(builder.tensor(f"{tensor.name}.grad@{name}", tensor.shape, dtype, "gradient"))
            if is_parameter:
                running = self._running(want)
                written.append(position)
                so_far.append(-1 if running is None else len(inputs))
                inputs += [] if running is None else [running]
                self.running[want] = outputs[-1]
        bytes_in = bytes_out = None
        if read_bytes is not None or rows_bytes is not None:
            added = [builder.tensors[t].nbytes for t in inputs[len(reads) :]]
            whole = sum(builder.tensors[t].nbytes for t in set(reads)) if read_bytes is None else read_bytes
            bytes_in = whole + (rows_bytes if added and rows_bytes is not None else sum(added))
            bytes_out = rows_bytes if added and rows_bytes is not None else None
        attributes: dict[str, int | float | str | tuple[int, ...]] = {"forward": operator.name}
        if written:
            attributes |= {"parameter_gradients": tuple(written), "running_gradients": tuple(so_far)}
        index = builder.operator(
            name,
            kind,
            inputs,
            outputs,
            gemm=gemm,
            gemm_elements=elements,
            attention=attention,
            vector=vector,
            phase="backward",
            layer=operator.layer,
            attributes=attributes,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
        )
        for want, output in zip(wants, outputs, strict=True):
            self._maker[output] = index
            if tensors[want].role != "parameter":
                self.contribute(want, output, operator.layer)

    def exchange(self, operator: Operator, suffix: str, kind: str, x: int, like: int) -> int:
        """Add an exchange of ``x`` with the group of ``operator``; the tensor it makes, of the form of ``like``."""
        tensor, name = self.forward.tensors[like], f"{operator.name}.{suffix}"
        role = self.builder.tensors[x].role
        output = self.builder.tensor(f"{tensor.name}.{kind}@{name}", tensor.shape, tensor.dtype, role)
        self._maker[output] = self.builder.operator(
            name,
            kind,
            (x,),
            (output,),
            phase="backward",
            layer=operator.layer,
            attributes={"forward": operator.name, "group": operator.attribute("group")},
            bytes_in=0,
            bytes_out=0,
        )
        return output

    def _gather_again(self, gather: Operator) -> int:
        """What ``gather`` gathered, of which a device keeps its shard alone."""
        whole = gather.outputs[0]
        if whole not in self._gathered:
            x = self.read(gather, gather.inputs[0])
            self._gathered[whole] = self.exchange(gather, "again", "all-gather", x, whole)
        return self._gathered[whole]

    def contribute(self, tensor: int, gradient: int, layer: int) -> None:
        """Add ``gradient``, found in ``layer``, to what is known of the gradient of ``tensor``."""
        pending = self._pending.get(tensor)
        if pending is None:
            self._pending[tensor] = _Pending(layer, [gradient])
            return
        if pending.layer != layer:
            self._sum(tensor)
            pending.layer = layer
        pending.gradients.append(gradient)

    def _running(self, parameter: int) -> int | None:
        """Gradient of ``parameter`` so far: of this microbatch, else of the earlier ones."""
        if parameter not in self.running and self.accumulate:
            tensor = self.forward.tensors[parameter]
            name = f"{tensor.name}.grad@running"
            self.running[parameter] = self.builder.tensor(name, tensor.shape, self.policy.gradient, "gradient")
        return self.running.get(parameter)

    def _settle(self, tensor: int) -> int | None:
        """The complete gradient of ``tensor``, or ``None`` when no consumer gave one."""
        if tensor not in self._pending:
            return None
        self._sum(tensor)
        return self._pending.pop(tensor).gradients[0]

    def _sum(self, tensor: int) -> None:
        """Reduce the contributions to one."""
        pending = self._pending[tensor]
        count = len(pending.gradients)
        if count == 1:
            return
        value = self.forward.tensors[tensor]
        name = f"{value.name}.grad-sum@{self.forward.layers[pending.layer]}"
        output = self.builder.tensor(name, value.shape, value.dtype, "gradient")
        self._maker[output] = self.builder.operator(
            name,
            "accumulate",
            pending.gradients,
            (output,),
            vector=(Vector("accumulate", value.elements),) * (count - 1),
            phase="backward",
            layer=pending.layer,
            attributes={"forward": self.forward.operators[self._producer[tensor]].name},
        )
        pending.gradients = [output]

    def _run_again(self, members: Sequence[Operator], sources: list[int]) -> dict[int, int]:
        """Run the forward operators of a segment again, from the tensors that come from outside of it.

        Random numbers repeat, so dropout masks are reproduced and not kept. Returns forward tensor ->
        recomputed tensor. It starts after the operators ``sources``.
        """
        builder = self.builder
        again: dict[int, int] = {}
        for operator in members:
            root = not any(t in again for t in operator.inputs)
            inputs = [again.get(t, t) for t in operator.inputs]
            outputs = []
            for t in operator.outputs:
                tensor = self.forward.tensors[t]
                outputs.append(builder.tensor(f"{tensor.name}.re", tensor.shape, tensor.dtype, tensor.role))
            again.update(zip(operator.outputs, outputs, strict=True))
            work = operator.work
            index = builder.operator(
                f"{operator.name}.re",
                operator.kind,
                inputs,
                outputs,
                gemm=work.gemm,
                attention=work.attention,
                vector=work.vector,
                phase="backward",
                layer=operator.layer,
                attributes={**dict(operator.attributes), "forward": operator.name},
                bytes_in=work.bytes_in,
                bytes_out=work.bytes_out,
            )
            if root:
                builder.after.extend((source, index) for source in sources)
        return again
