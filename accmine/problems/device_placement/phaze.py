"""The objective of Phaze's placement program (``device_placement.cpp`` at fed7cde), flaws included, in floats.

T = max over stages of load · (⌈N/d⌉ + s - 1) + 4 (d - 1)/d · parameters of the first stage / bandwidth.

What it leaves out is left out here too: only the first stage pays for the sum of its gradients; a message costs the
receiver alone and overlaps with the work of the stage; latencies and messages are added as they stand in the file,
whatever their units; there is no ZeRO and no master copy of the weights. Under ``accmine`` the same file is placed
with one unit and the gradients of every stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from accmine.problems.device_placement.problem import Option, Problem, Solution

__all__ = ["activations", "batch_time", "bound", "check", "pure_backward", "stage_limit", "stage_load", "stage_width"]


def pure_backward(option: Option) -> float:
    """Latency of the backward pass without the recomputation that an option with it has in ``backward_s``."""
    return option.backward_s - (option.forward_s if option.recompute == "full" else 0.0)


def activations(option: Option) -> int:
    """All bytes that the passes of a microbatch leave in a layer: stashed, or worked with and recomputed."""
    return option.working_bytes if option.recompute == "full" else option.stash_bytes


def _chosen(problem: Problem, solution: Solution, stage: int) -> dict[int, Option]:
    plan = solution.stages[stage]
    found = {}
    for layer in plan.layers:
        for option in problem.layers[layer].options:
            if (option.tensor, option.recompute) == (plan.tensor, plan.recompute):
                found[layer] = option
    return found


def stage_width(options: Sequence[Option]) -> int:
    """Devices of a stage: the degree, or 1 where no layer of it is divided."""
    return max((1 if option.whole else option.tensor for option in options), default=1)


def stage_load(problem: Problem, chosen: dict[int, Option], last: bool) -> float:
    """Latency of a stage: forward pass and backward pass along its layers, with recomputation unless it is the last.

    A pass of a layer starts when the one before it in the stage has ended and all messages from other stages are
    there; these leave at time 0. Recomputation finds its inputs in memory.
    """
    line = [layer for layer in problem.order_of_layers if layer in chosen]
    tensor = chosen[line[0]].tensor
    rate = problem.cluster.link_bytes_per_s
    arrives: dict[int, float] = dict.fromkeys(line, 0.0)
    returns: dict[int, float] = dict.fromkeys(line, 0.0)
    for edge in problem.edges:
        message = edge.bytes_at(tensor) / rate
        if edge.target in chosen and edge.source not in chosen:
            arrives[edge.target] = max(arrives[edge.target], message)
        if edge.source in chosen and edge.target not in chosen:
            returns[edge.source] = max(returns[edge.source], message)
    forward = again = 0.0
    for layer in line:
        forward = max(forward, arrives[layer]) + chosen[layer].forward_s
        again += chosen[layer].forward_s
    backward = again if chosen[line[0]].recompute == "full" and not last else 0.0
    for layer in reversed(line):
        backward = max(backward, returns[layer]) + pure_backward(chosen[layer])
    return forward + backward


def stage_limit(problem: Problem, chosen: dict[int, Option]) -> int:
    """Largest position from the end of the pipeline at which a stage fits in memory; 0: none."""
    kept = sum(o.weight_bytes + o.gradient_bytes + o.optimizer_bytes for o in chosen.values())
    stash = held = sum(activations(o) for o in chosen.values())
    if any(o.recompute == "full" for o in chosen.values()):
        tensor = next(iter(chosen.values())).tensor
        stash = sum(e.bytes_at(tensor) for e in problem.edges if e.target in chosen and e.source not in chosen)
    room = problem.memory_bytes - kept - held
    if room >= (problem.devices - 1) * stash:
        return problem.devices
    return 0 if room < 0 else 1 + room // stash


def batch_time(problem: Problem, solution: Solution) -> float:
    """Phaze's time per batch."""
    stages, data = len(solution.stages), solution.data
    loads = [stage_load(problem, _chosen(problem, solution, s), s == stages - 1) for s in range(stages)]
    parameters = sum(option.weight_bytes for option in _chosen(problem, solution, 0).values())
    microbatches = -(-problem.microbatches // data)
    sums = 4 * (data - 1) / data * parameters / problem.cluster.link_bytes_per_s
    return max(loads) * (microbatches + stages - 1) + sums


def check(problem: Problem, solution: Solution) -> Iterator[str]:
    """Violations of a placement whose layers, stages and options are in order."""
    stages = len(solution.stages)
    there = {(e.source, e.target) for e in problem.edges}
    widths = []
    for s in range(stages):
        chosen = _chosen(problem, solution, s)
        widths.append(stage_width(list(chosen.values())))
        line = [layer for layer in problem.order_of_layers if layer in chosen]
        if any(pair not in there for pair in pairwise(line)):
            yield f"stages[{s}]: branches, which Phaze does not support"
        limit = stage_limit(problem, chosen)
        if stages - s > limit:
            yield f"memory_bytes: stage {s} fits at most {limit} from the end of the pipeline, not {stages - s}"
    if sum(widths) > problem.devices // solution.data:
        yield f"devices: {sum(widths) * solution.data} in use, {problem.devices} allowed"


def bound(problem: Problem) -> tuple[float | None, str]:
    """The work of all microbatches on all devices: s stages of a replica have at least their share of it."""
    work = sum(
        min((1 if o.whole else o.tensor) * (o.forward_s + pure_backward(o)) for o in layer.options)
        for layer in problem.layers
    )
    return problem.microbatches * work / problem.devices * (1 - 1e-12), "work of all devices"
