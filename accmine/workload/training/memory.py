"""Memory of a device: what training a graph, or a stage of one, keeps in HBM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.workload.collectives import storage
from accmine.workload.graph import OperatorGraph
from accmine.workload.training.training import parameter_gradients

__all__ = ["Memory", "memory", "stashed", "working_set"]


@dataclass(frozen=True)
class Memory:
    """Bytes of HBM by purpose.

    Attributes
    ----------
    weights_bytes, gradients_bytes, optimizer_bytes
        Parameters in compute precision; their gradients; master weights and optimiser state.
    stash_bytes_per_microbatch
        What the forward operators of a microbatch leave for its backward ones.
    in_flight
        Microbatches whose stash is held at the same time.
    working_set_bytes
        Peak of all other tensors alive while one microbatch runs operator by operator in graph order, and what is the
        same for all microbatches (a causal mask).
    """

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    stash_bytes_per_microbatch: int
    in_flight: int
    working_set_bytes: int

    @property
    def total_bytes(self) -> int:
        """Everything, with all microbatches in flight."""
        return (
            self.weights_bytes
            + self.gradients_bytes
            + self.optimizer_bytes
            + self.stash_bytes_per_microbatch * self.in_flight
            + self.working_set_bytes
        )


def stashed(training: OperatorGraph) -> list[int]:
    """Tensors that are kept from forward to backward: written or given before, and read by backward operators.

    Parameters, gradients and constants are counted elsewhere; recomputed tensors live in the backward pass only.
    """
    producer, place = training.producer.tolist(), storage(training)
    read = {place[t] for operator in training.operators if operator.phase == "backward" for t in operator.inputs}
    return [
        t
        for t in sorted(read)
        if training.tensors[t].role in ("input", "activation")
        and (producer[t] < 0 or training.operators[producer[t]].phase == "forward")
    ]


def memory(training: OperatorGraph, *, in_flight: int = 1, part: str = "") -> Memory:
    """Memory of a training graph, of a whole model or of the stage a device holds.

    Gradients of parameters, master weights and optimiser state are updated in place and counted once. With ``part``
    only those of parameters whose names contain it count.

    Raises
    ------
    InputError
        If ``in_flight`` is below 1.
    """
    if in_flight < 1:
        raise InputError(f"{in_flight} microbatches in flight; at least 1 is needed", field="in_flight")
    tensors = training.tensors
    producer = training.producer.tolist()
    updated = {t for o in training.operators if o.phase == "update" for t in o.inputs if part in tensors[t].name}
    gradients = {t for t in updated if tensors[t].role == "gradient"}
    state = {t for t in updated if tensors[t].role == "state"}
    given_state = {i for i, t in enumerate(tensors) if t.role == "state" and producer[i] < 0 and part in t.name}
    weights = sum(t.nbytes for t in tensors if t.role == "parameter" and part in t.name)
    constants = sum(t.nbytes for t in tensors if t.role == "constant")
    return Memory(
        weights_bytes=weights + sum(tensors[t].nbytes for t in given_state - state),
        gradients_bytes=sum(tensors[t].nbytes for t in gradients),
        optimizer_bytes=sum(tensors[t].nbytes for t in state),
        stash_bytes_per_microbatch=sum(tensors[t].nbytes for t in stashed(training)),
        in_flight=in_flight,
        working_set_bytes=int(working_set(training).max(initial=0)) + constants,
    )


def working_set(training: OperatorGraph) -> npt.NDArray[np.int64]:
    """Bytes alive at each operator, in graph order, of tensors that are not held all through; shape (operators,).

    Held are parameters, their gradients, states, constants and what is stashed. Any other tensor is alive from the
    operator that writes it (or first reads it, when it comes from outside) to the one that reads it last.
    """
    tensors, count, place = training.tensors, len(training.operators), storage(training)
    held = [tensor.role in ("parameter", "state", "constant") for tensor in tensors]
    for t in stashed(training):
        held[t] = True
    first, last = [-1] * len(tensors), [-1] * len(tensors)
    for index, operator in enumerate(training.operators):
        for t in map(place.__getitem__, (*operator.inputs, *operator.outputs)):
            if first[t] < 0:
                first[t] = index
            last[t] = index
        if operator.phase == "update":
            for t in operator.inputs:
                held[t] = held[t] or tensors[t].role == "gradient"
        for pair in parameter_gradients(operator):
            for t in pair:
                if t >= 0:
                    held[t] = True
    change = [0] * (count + 1)
    for tensor, held_on, start, end in zip(tensors, held, first, last, strict=True):
        if not held_on and start >= 0:
            size = tensor.nbytes
            change[start] += size
            change[end + 1] -= size
    return np.cumsum(np.array(change[:-1], dtype=np.int64))
