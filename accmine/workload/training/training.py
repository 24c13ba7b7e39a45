"""Training graphs: forward, backward and update operators of one microbatch in one graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from accmine.errors import Complaint, InputError
from accmine.workload.graph import BYTES, Operator, OperatorGraph, Vector, collector_paused
from accmine.workload.training.gradients import differentiate
from accmine.workload.training.tape import DtypePolicy, Tape

__all__ = [
    "OPTIMIZERS",
    "RECOMPUTE",
    "STATE_BLOCK",
    "DtypePolicy",
    "Optimizer",
    "parameter_gradients",
    "training_graph",
    "without_running",
]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """What an optimiser keeps and moves for each parameter.

    Attributes
    ----------
    moments
        Tensors of state per parameter: momentum; first and second moment.
    eight_bit
        Whether moments have one byte an element, and an fp32 scale for each ``STATE_BLOCK`` of them (Dettmers et al.
        2022); else the dtype policy says what they have.
    norms
        Whether the step is scaled by norms of the whole tensor (LAMB, You et al. 2020): the step is written in the
        place of the gradient, and step and weight are read again once the norms are there.
    """

    moments: int
    eight_bit: bool = False
    norms: bool = False


STATE_BLOCK = 2048
"""Elements of an 8-bit moment that share a scale."""

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(1),
    "adam": Optimizer(2),
    "adamw": Optimizer(2),
    "lamb": Optimizer(2, norms=True),
    "adam-8bit": Optimizer(2, eight_bit=True),
    "adamw-8bit": Optimizer(2, eight_bit=True),
}
"""Optimisers by name; ``sgd`` has momentum. The norm of all gradients that some codes add to LAMB is left out."""

RECOMPUTE: tuple[str, ...] = ("none", "full")


@collector_paused()
def training_graph(
    forward: OperatorGraph,
    *,
    optimizer: str = "adam",
    recompute: str = "none",
    accumulate: bool = True,
    policy: DtypePolicy = DtypePolicy(),  # noqa: B008  (frozen)
) -> OperatorGraph:
    """Forward, backward and update operators, by reverse-mode differentiation from every loss.

    Backward operators are named after their forward operator (``.dx``, ``.dw``, ``.db``, ``.da``, ``.bwd``)
    and carry its name as attribute ``forward``; one update operator per parameter is named
    ``<parameter>.update``. Operators that write gradients of parameters carry the positions of these among
    their outputs (``parameter_gradients``) and of the gradients so far among their inputs
    (``running_gradients``, -1 for none). A parameter used more than once (tied) has one chain of them.

    Parameters
    ----------
    forward
        Forward operators only, ending in one or several ``cross-entropy`` operators.
    optimizer
        One of ``OPTIMIZERS``.
    recompute
        ``none``, or ``full``: between forward and backward only tensors that cross layers are kept, and the
        backward of a layer first runs its forward operators again (suffix ``.re``, phase ``backward``), not
        before the gradients reach it from the layers behind. A layer that no gradient reaches from behind
        (the last one) is not run again. Dropout masks are reproduced from their random numbers.
    accumulate
        Weight-gradient operators add to the gradient of the earlier microbatches, which they read.
    policy
        Element types.

    Raises
    ------
    InputError
        For an unknown option, a graph without loss, a kind without gradient, a parameter that no loss
        depends on, or a dtype policy that does not fit the forward graph.
    """
    complaints = list(_complaints(forward, optimizer, recompute, policy))
    if complaints:
        raise InputError(complaints)
    tape = Tape(forward, policy, accumulate, recompute == "full")
    for operator in reversed(forward.operators):
        differentiate(tape, operator)
    _updates(tape, optimizer)
    graph = tape.builder.build()
    return _with_operands(graph, policy.operands) if policy.operands else graph


def _complaints(forward: OperatorGraph, optimizer: str, recompute: str, policy: DtypePolicy) -> Iterator[Complaint]:
    if optimizer not in OPTIMIZERS:
        yield Complaint("", "optimizer", f"unknown optimizer {optimizer!r}; allowed: {', '.join(OPTIMIZERS)}")
    if recompute not in RECOMPUTE:
        yield Complaint("", "recompute", f"unknown recompute {recompute!r}; allowed: {', '.join(RECOMPUTE)}")
    for field in ("compute", "gradient", "master", "state", "operands"):
        if getattr(policy, field) not in BYTES and (field != "operands" or policy.operands):
            allowed = ", ".join(BYTES)
            yield Complaint("", field, f"unknown dtype {getattr(policy, field)!r}; allowed: {allowed}")
    dtypes = sorted({tensor.dtype for tensor in forward.tensors if tensor.role == "parameter"} - {policy.compute})
    if dtypes:
        yield Complaint("", "compute", f"policy computes in {policy.compute}, the parameters are {', '.join(dtypes)}")
    if any(operator.phase != "forward" for operator in forward.operators):
        yield Complaint("", "", f"{forward.name}: already a training graph; a forward graph is needed")
    if any(operator.attribute("fused") for operator in forward.operators):
        yield Complaint("", "", f"{forward.name}: fused already; derive the training graph first, then fuse it")
    if any(operator.work.local for operator in forward.operators):
        yield Complaint("", "", f"{forward.name}: residency is marked already; derive the training graph first")
    if not any(operator.kind == "cross-entropy" for operator in forward.operators):
        yield Complaint("", "", f"{forward.name}: no loss to train; a cross-entropy operator is needed")


def _updates(tape: Tape, optimizer: str) -> None:
    """One update operator per parameter, in the layer that uses the parameter first.

    It reads gradient, master weight and state, and writes master weight, state and the compute copy.
    """
    forward, builder, policy = tape.forward, tape.builder, tape.policy
    layer_of: dict[int, int] = {}
    for operator in forward.operators:
        for t in operator.inputs:
            layer_of.setdefault(t, operator.layer)
    lost = [t.name for i, t in enumerate(forward.tensors) if t.role == "parameter" and i not in tape.running]
    if lost:
        names = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        raise InputError(f"{forward.name}: no loss depends on {len(lost)} parameter(s): {names}")
    kind, rule = f"{optimizer}-update", OPTIMIZERS[optimizer]
    for index, parameter in enumerate(forward.tensors):
        if parameter.role != "parameter":
            continue
        copied = policy.master != parameter.dtype
        kept = [("master", policy.master, parameter.shape)] if copied else []
        for i in range(rule.moments):
            name = "state" if i == 0 else f"state{i}"
            kept.append((name, "int8" if rule.eight_bit else policy.state, parameter.shape))
            if rule.eight_bit:
                kept.append((f"{name}.scale", "fp32", (-(-parameter.elements // STATE_BLOCK),)))
        held = [builder.tensor(f"{parameter.name}.{key}", shape, dtype, "state") for key, dtype, shape in kept]
        inputs = [tape.running[index], *held] + ([] if copied else [index])
        # Written in place; role state, so that a graph's parameters are counted once.
        written = [*kept, ("updated", parameter.dtype, parameter.shape)]
        outputs = [
            builder.tensor(f"{parameter.name}.{key}@update", shape, dtype, "state") for key, dtype, shape in written
        ]
        bytes_in, bytes_out = (sum(builder.tensors[t].nbytes for t in side) for side in (inputs, outputs))
        if rule.norms:
            step = parameter.elements * BYTES[policy.gradient]
            bytes_in += step + parameter.elements * BYTES[policy.master]
            bytes_out += step
        builder.operator(
            f"{parameter.name}.update",
            kind,
            inputs,
            outputs,
            vector=(Vector(kind, parameter.elements),),
            phase="update",
            layer=layer_of[index],
            attributes={"parameter": parameter.name},
            bytes_in=bytes_in,
            bytes_out=bytes_out,
        )


def _with_operands(graph: OperatorGraph, dtype: str) -> OperatorGraph:
    """The graph with the products of linear layers in ``dtype``, but for those that make logits.

    tf32 is fp32 in storage: all products have it.
    """
    if dtype == "tf32":
        works = {work: replace(work, dtype=dtype) if work.uses_tensor else work for work in graph.works}
        whole = tuple(replace(operator, work=works[operator.work]) for operator in graph.operators)
        return replace(graph, operators=whole)
    logits = {operator.inputs[0] for operator in graph.operators if operator.kind == "cross-entropy"}
    left = {operator.name for operator in graph.operators if logits & {*operator.outputs}}
    operators = tuple(
        replace(operator, work=replace(operator.work, dtype=dtype))
        if operator.kind.startswith("linear") and not {operator.name, operator.attribute("forward")} & left
        else operator
        for operator in graph.operators
    )
    return replace(graph, operators=operators)


def parameter_gradients(operator: Operator) -> list[tuple[int, int]]:
    """(gradient so far, gradient written) of every parameter gradient ``operator`` writes, as tensors.

    The gradient so far is -1 when nothing is added to.
    """
    if operator.phase != "backward":
        return []
    outputs = operator.attribute("parameter_gradients", 0)
    inputs = operator.attribute("running_gradients", 0)
    if not isinstance(outputs, tuple) or not isinstance(inputs, tuple):
        return []
    return [
        (-1 if position < 0 else operator.inputs[position], operator.outputs[output])
        for output, position in zip(outputs, inputs, strict=True)
    ]


def without_running(graph: OperatorGraph, operator: Operator, gradient: int) -> Operator:
    """``operator`` of ``graph`` when it does not add to ``gradient``, a gradient so far, but starts from nothing."""
    pairs = parameter_gradients(operator)
    position = operator.inputs.index(gradient)
    written = next(new for old, new in pairs if old == gradient)
    work, size = operator.work, graph.tensors[gradient].nbytes
    if operator.kind == "embedding-backward":
        # It added to the rows that were looked up; now it writes the whole table, with zeros elsewhere.
        read, wrote = work.bytes_in - work.bytes_out, graph.tensors[written].nbytes
    else:
        read, wrote = work.bytes_in - size, work.bytes_out
    so_far = tuple(
        -1 if old == gradient or old < 0 else (at := operator.inputs.index(old)) - (at > position) for old, _ in pairs
    )
    return replace(
        operator,
        inputs=(*operator.inputs[:position], *operator.inputs[position + 1 :]),
        work=replace(work, bytes_in=read, bytes_out=wrote),
        attributes=tuple(sorted({**dict(operator.attributes), "running_gradients": so_far}.items())),
    )
