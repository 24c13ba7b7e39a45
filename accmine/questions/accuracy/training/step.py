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
    score,
    shown,
    stage_times,
)
from accmine.questions.accuracy.training.layers import RunLayer, run_layers, shape_of
from accmine.questions.accuracy.training.machine import Machine
from accmine.questions.accuracy.training.runs import Run
from accmine.system import step_time

__all__ = ["placed", "predict"]


def predict(run: Run, machine: Machine) -> float:
    """Seconds of a step: the objective of its placement; without two of the terms its stages by other sums."""
    problem, solution = placed(run, machine)
    terms, m = machine.terms, run.microbatches
    if terms.pipeline and terms.uneven:
        return shown(problem, score(problem, solution))
    (forward, backward, update, _), sent = stage_times(problem, solution)
    if terms.pipeline:
        forward, backward, update = ([sum(own) // len(own)] * len(own) for own in (forward, backward, update))
        own = solution.pipelining
        return shown(problem, step_time(own.schedule, forward, backward, update, sent, m, chunks=own.chunks))
    p = run.pipeline
    devices = [(sum(forward[s::p]) + sum(backward[s::p]), sum(update[s::p])) for s in range(p)]
    return shown(problem, m * max(busy for busy, _ in devices) + max(updates for _, updates in devices))


def placed(run: Run, machine: Machine) -> tuple[Problem, Solution]:
    """A run as a placement with one option for each layer.

    The layers are divided evenly over the stages, of which a device has one for each chunk; embeddings are on the first
    stage and the head on the last one. A device of a tensor group sends its part of the activations to its like of the
    next stage, as Megatron does (the all-gather behind that is left out).
    """
    terms = machine.terms
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
        pipelinings=(Pipelining("interleaved" if run.chunks > 1 else "1f1b", run.chunks),),
    )
    stages = run.pipeline * run.chunks
    starts = [0, *(1 + s * run.layers // stages for s in range(1, stages)), len(names)]
    plans = tuple(StagePlan(tuple(range(a, b)), run.tensor, run.recompute) for a, b in pairwise(starts))
    return problem, Solution(plans, run.data, pipelining=problem.pipelinings[0])


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
