"""Memory of the first device of a run: that of its placement, and by the field's formula."""

from __future__ import annotations

from dataclasses import replace

from accmine.problems.device_placement.memory import device_bytes
from accmine.questions.accuracy.training.machine import Machine
from accmine.questions.accuracy.training.runs import Run
from accmine.questions.accuracy.training.step import placed

__all__ = ["first_device_bytes", "formula_bytes"]


def first_device_bytes(run: Run, machine: Machine) -> int:
    """Weights, gradients, states and stash of the first device: what it keeps between kernels."""
    problem, solution = placed(run, machine)
    chunks = [
        [replace(problem.layers[i].options[0], working_bytes=0) for i in plan.layers]
        for plan in solution.stages[:: run.pipeline]
    ]
    return device_bytes(problem, chunks, solution.pipelining, (0, run.pipeline, run.microbatches), (run.data, 0))


def formula_bytes(run: Run) -> float:
    """18 bytes for each parameter, and the stash of L layers (Narayanan et al. 2021; Korthikanti et al. 2022).

    A layer keeps s·b·h·(10 + 24/t + 5·a·s/(h·t)) bytes, with sequence parallelism and selective recomputation
    34·s·b·h/t, with full recomputation 2·s·b·h. The first of p stages has p microbatches of L/p layers in flight; with
    chunks 1 + (p - 1)/(p·v) times as many.
    """
    s, b, h, a, t = run.sequence, run.microbatch, run.width, run.heads, run.tensor
    p, v = run.pipeline, run.chunks
    own = run.layers / p * (12 * h * h / t + (7 / t + 6) * h) + (run.vocabulary / t + s) * h
    shard = 1 / t if run.sequence_parallel else 1.0
    kept = {
        "full": 2 * s * b * h * shard,
        "selective": s * b * h * (10 * shard + 24 / t),
        "none": s * b * h * (10 * shard + 24 / t + 5 * a * s / (h * t)),
    }[run.recompute]
    flying = run.layers * (1 + (p - 1) / (p * v) if v > 1 else min(1.0, run.microbatches / p))
    return 18 * own + flying * kept
