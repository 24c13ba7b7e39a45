"""Optimisers: what each keeps of a parameter, and the operators that update parameters."""

from __future__ import annotations

from dataclasses import dataclass

from accmine.errors import InputError
from accmine.workload.graph import BYTES, Vector
from accmine.workload.training.tape import Tape

__all__ = ["OPTIMIZERS", "STATE_BLOCK", "Optimizer", "add_updates"]


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


def add_updates(tape: Tape, optimizer: str) -> None:
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
