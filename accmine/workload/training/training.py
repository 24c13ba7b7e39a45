"""Training graphs: forward, backward and update operators of one microbatch in one graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from accmine.errors import Complaint, InputError
from accmine.workload.graph import BYTES, Operator, OperatorGraph, collector_paused
from accmine.workload.training.gradients import differentiate
from accmine.workload.training.optimizers import OPTIMIZERS, add_updates
from accmine.workload.training.tape import DtypePolicy, Tape

__all__ = [
    "RECOMPUTE",
    "DtypePolicy",
    "parameter_gradients",
    "training_graph",
    "without_running",
]

RECOMPUTE: tuple[str, ...] = ("none", "selective", "full")


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
        (the last one) is not run again. Dropout masks are reproduced from their random numbers. Or ``selective``:
        the same for the core of each attention alone, from scores to the values read out (Korthikanti et al. 2022);
        fused attention keeps none of it anyway, so that it is ``none`` there.
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
    tape = Tape(forward, policy, accumulate, recompute)
    for operator in reversed(forward.operators):
        differentiate(tape, operator)
    add_updates(tape, optimizer)
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
