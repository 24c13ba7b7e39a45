"""Predicted time of a training step: kernels of a chip one after another, collectives, pipeline, gradients, update."""

from __future__ import annotations

from dataclasses import dataclass

from accmine.questions.accuracy.training.layers import Pass, RunLayer, run_layers, shape_of
from accmine.questions.accuracy.training.machine import Machine
from accmine.questions.accuracy.training.runs import Run
from accmine.system import step_time
from accmine.system.collectives import collective_s
from accmine.workload.shard import Collective

__all__ = ["predict"]


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of a layer with its collectives, and of its update with the sum of its gradients."""

    forward: float
    backward: float
    update: float

    def __add__(self, other: _Times) -> _Times:
        return _Times(self.forward + other.forward, self.backward + other.backward, self.update + other.update)

    def __mul__(self, factor: float) -> _Times:
        return _Times(self.forward * factor, self.backward * factor, self.update * factor)


def predict(run: Run, machine: Machine) -> float:
    """Seconds of a step.

    The layers are divided evenly; embeddings are on the first stage and the head on the last one. Messages between
    stages are divided over the tensor group and gathered again behind the network.
    """
    terms, cluster, p = machine.terms, machine.cluster, run.pipeline
    layers = run_layers(shape_of(run), terms.apart)
    times = {name: _times(layer, run, machine) for name, layer in layers.items()}
    if not terms.ends:
        times |= {"embeddings": _Times(0.0, 0.0, 0.0), "head": _Times(0.0, 0.0, 0.0)}
    stages = [times["layer"] * (run.layers // p) for _ in range(p)]
    stages[0] += times["embeddings"]
    stages[-1] += times["head"]
    if not terms.uneven:
        whole = sum(stages[1:], stages[0])
        stages = [whole * (1.0 / p)] * p
    forward, backward, update = ([getattr(stage, name) for stage in stages] for name in _Times.__slots__)
    m, v = run.microbatches, run.chunks
    if not terms.pipeline:
        return m * max(f + b for f, b in zip(forward, backward, strict=True)) + max(update)
    message = 2 * run.microbatch * run.sequence * run.width
    between = [0.0] * (p - 1)
    if terms.messages:
        sent = cluster.boundary_s(message / run.tensor, run.tensor * run.data, p)
        between = (sent + collective_s(cluster, Collective("all-gather", message), run.tensor)).tolist()
    whole_s = float(step_time("1f1b", forward, backward, update, between, m))
    if v > 1:
        mean = (sum(forward) + sum(backward)) / p
        whole_s -= (p - 1) * mean * (1.0 - 1.0 / v)
    return whole_s


def _times(layer: RunLayer, run: Run, machine: Machine) -> _Times:
    terms, cluster = machine.terms, machine.cluster

    def seconds(phase: Pass) -> float:
        found = machine.seconds(phase)
        if terms.tensor:
            found += sum(collective_s(cluster, c, run.tensor) for c in phase.collectives)
        return found

    update = machine.seconds(layer.update)
    if terms.gradients:
        gradients = Collective("all-reduce", layer.memory.gradients, "data")
        update += collective_s(cluster, gradients, run.data, run.tensor)
    return _Times(seconds(layer.forward), seconds(layer.backward), update)
