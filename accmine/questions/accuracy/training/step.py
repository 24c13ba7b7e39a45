"""Predicted time of a training step: a device placement whose layers are kernels one after another."""

from __future__ import annotations

from itertools import pairwise

from accmine.problems.device_placement import (
    Edge,
    Layer,
    Option,
    Pipelining,
    Problem,
    Solution,
    StagePlan,
    shown,
    stage_times,
)
from accmine.problems.device_placement import score as ticks_of
from accmine.questions.accuracy.training.layers import RunLayer, run_layers, shape_of
from accmine.questions.accuracy.training.machine import Machine
from accmine.questions.accuracy.training.runs import Run
from accmine.system import step_time

__all__ = ["placed", "predict"]


def predict(run: Run, machine: Machine) -> float:
    """Seconds of a step: the objective of its placement."""
    problem, solution = placed(run, machine)
    terms, m, v = machine.terms, run.microbatches, run.chunks
    (forward, backward, update, _), sent = stage_times(problem, solution)
    if not terms.pipeline:
        return shown(problem, m * max(f + b for f, b in zip(forward, backward, strict=True)) + max(update))
    if not terms.uneven:
        forward, backward, update = ([sum(own) // len(own)] * len(own) for own in (forward, backward, update))
    ticks = (
        float(step_time("1f1b", forward, backward, update, sent, m))
        if terms.uneven is False
        else ticks_of(problem, solution)
    )
    if v > 1:
        mean = (sum(forward) + sum(backward)) / run.pipeline
        ticks -= (run.pipeline - 1) * mean * (1.0 - 1.0 / v)
    return shown(problem, ticks)


def placed(run: Run, machine: Machine) -> tuple[Problem, Solution]:
    """A run as a placement with one option for each layer.

    The layers are divided evenly; embeddings are on the first stage and the head on the last one. A device of a tensor
    group sends its part of the activations to its like of the next stage, as Megatron does (the all-gather behind that
    is left out).
    """
    terms, p = machine.terms, run.pipeline
    own = run_layers(shape_of(run), terms.apart)
    names = ["embeddings", *["layer"] * run.layers, "head"]
    options = {name: _option(own[name], run, machine, ends=name != "layer") for name in own}
    layers = tuple(Layer(f"{name}{i}", (options[name],), name) for i, name in enumerate(names))
    message = 2 * run.microbatch * run.sequence * run.width // run.tensor if terms.messages else 0
    edges = tuple(Edge(a, b, message) for a, b in pairwise(range(len(layers))))
    problem = Problem(
        layers=layers,
        edges=edges,
        devices=run.devices,
        microbatches=run.microbatches * run.data,
        memory_bytes=machine.design.hbm_bytes,
        cluster=machine.cluster,
        pipelinings=(Pipelining("1f1b", 1),),
    )
    per_stage = run.layers // p
    starts = [0, *(1 + s * per_stage for s in range(1, p)), len(names)]
    stages = tuple(StagePlan(tuple(range(a, b)), run.tensor, run.recompute) for a, b in pairwise(starts))
    return problem, Solution(stages, run.data, pipelining=problem.pipelinings[0])


def _option(layer: RunLayer, run: Run, machine: Machine, *, ends: bool) -> Option:
    """The one way in which a run has a layer; without the end layers, where an ablation leaves them out, no time."""
    terms, memory = machine.terms, layer.memory
    counted = 0.0 if ends and not terms.ends else 1.0
    shared = terms.tensor and counted
    return Option(
        tensor=run.tensor,
        recompute=run.recompute,
        forward_s=counted * machine.seconds(layer.forward),
        backward_s=counted * machine.seconds(layer.backward),
        update_s=counted * machine.seconds(layer.update),
        forward_collectives=layer.forward.collectives if shared else (),
        backward_collectives=layer.backward.collectives if shared else (),
        weight_bytes=memory.weights,
        gradient_bytes=memory.gradients if terms.gradients and counted else 0,
        optimizer_bytes=memory.optimizer,
        stash_bytes=memory.stash,
        working_bytes=memory.working,
    )
