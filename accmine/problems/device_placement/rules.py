"""What a placement is worth, what it violates, and the bound that needs no search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from accmine.problems.device_placement import phaze
from accmine.problems.device_placement.memory import device_bytes, stage_bytes
from accmine.problems.device_placement.numbers import Way, numbers, replica_microbatches
from accmine.problems.device_placement.problem import Option, Problem, Solution, StagePlan
from accmine.result import Sense
from accmine.system import SCHEDULES, step_time

__all__ = ["bound", "check", "impossible", "score", "sense", "shown", "shown_bound", "stage_times", "way_of"]


def sense(problem: Problem) -> Sense:
    """Direction of the objective: seconds of a step, minimised."""
    del problem
    return Sense.MINIMIZE


def way_of(problem: Problem, solution: Solution) -> Way:
    """Degrees, order and ZeRO stage of a placement."""
    tensor = solution.stages[0].tensor if problem.uniform else max(problem.degrees)
    pipeline = len(solution.stages) // solution.pipelining.chunks
    return Way(tensor, solution.data, pipeline, solution.order, solution.zero)


def _option(problem: Problem, layer: int, plan: StagePlan) -> Option | None:
    options = problem.layers[layer].options
    return next((o for o in options if (o.tensor, o.recompute) == (plan.tensor, plan.recompute)), None)


def stage_times(problem: Problem, solution: Solution) -> tuple[list[list[int]], list[int]]:
    """(forward, backward, update and weight ticks of the stages, messages over the boundaries) of a placement."""
    table, way = numbers(problem), way_of(problem, solution)
    phases: list[list[int]] = [[], [], [], []]
    stage_of = {layer: s for s, plan in enumerate(solution.stages) for layer in plan.layers}
    for plan in solution.stages:
        found = [o for layer in plan.layers if (o := _option(problem, layer, plan)) is not None]
        for phase, values in zip(phases, zip(*(table.layer(o, way) for o in found), strict=True), strict=True):
            phase.append(sum(values))
    crossing: list[dict[int, int]] = [{} for _ in solution.stages[1:]]  # bytes of each source, over each boundary
    for edge in problem.edges:
        first, last = stage_of[edge.source], stage_of[edge.target]
        for k in range(first, last):
            size = edge.bytes_at(solution.stages[first].tensor)
            crossing[k][edge.source] = max(size, crossing[k].get(edge.source, 0))
    sent = [table.messages(sum(sizes.values()), way)[k % way.pipeline] for k, sizes in enumerate(crossing)]
    return phases, sent


def score(problem: Problem, solution: Solution) -> int | float:
    """Ticks of the simulated step of a replica; of ``phaze`` its batch time in the unit of the file."""
    if problem.semantics == "phaze":
        return phaze.batch_time(problem, solution)
    (forward, backward, update, weight), sent = stage_times(problem, solution)
    microbatches, own = replica_microbatches(problem, solution.data), solution.pipelining
    split = weight if SCHEDULES[own.schedule].split_backward else None
    step = step_time(own.schedule, forward, backward, update, sent, microbatches, chunks=own.chunks, weight_s=split)
    return int(step)


def shown(problem: Problem, score: float) -> float:
    """A score in seconds."""
    return score if problem.semantics == "phaze" else numbers(problem).seconds(int(score))


def shown_bound(problem: Problem, score: float) -> float:
    """What a bound of the scores proves of durations as they are given, before they were rounded up."""
    if problem.semantics == "phaze":
        return score
    table = numbers(problem)
    return max(0.0, table.seconds(int(score) - table.rounding))


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a placement, in words; empty when it is valid."""
    wrong = list(_shape(problem, solution)) or list(_options(problem, solution))
    if wrong:
        return tuple(wrong)
    if problem.semantics == "phaze":
        return tuple(phaze.check(problem, solution))
    return tuple(_limits(problem, solution))


def _shape(problem: Problem, solution: Solution) -> Iterator[str]:
    """Each layer once, and no stage number falls along an edge."""
    stage_of: dict[int, int] = {}
    for s, plan in enumerate(solution.stages):
        if not plan.layers:
            yield f"stages[{s}]: no layer"
        for layer in plan.layers:
            if not 0 <= layer < len(problem.layers):
                yield f"stages[{s}]: no layer {layer}; 0 to {len(problem.layers) - 1} exist"
            elif layer in stage_of:
                yield f"stages[{s}]: layer {problem.layers[layer].name!r} is in stage {stage_of[layer]} already"
            stage_of[layer] = s
    for layer in range(len(problem.layers)):
        if layer not in stage_of:
            yield f"layer {problem.layers[layer].name!r} is in no stage"
    for edge in problem.edges:
        first, last = stage_of.get(edge.source), stage_of.get(edge.target)
        if first is not None and last is not None and first > last:
            names = problem.layers[edge.source].name, problem.layers[edge.target].name
            yield f"stage number falls from {first} to {last} along the edge {names[0]!r} to {names[1]!r}"
    if len(solution.stages) % solution.pipelining.chunks or not solution.stages:
        yield f"{len(solution.stages)} stages are no multiple of {solution.pipelining.chunks} chunks"


def _options(problem: Problem, solution: Solution) -> Iterator[str]:
    """Only what is allowed was chosen."""
    for s, plan in enumerate(solution.stages):
        for layer in plan.layers:
            if _option(problem, layer, plan) is None:
                name = problem.layers[layer].name
                yield f"stages[{s}]: layer {name!r} has no option tensor {plan.tensor}, recompute {plan.recompute!r}"
    if problem.uniform and len({(plan.tensor, plan.recompute) for plan in solution.stages}) > 1:
        yield "stages differ in tensor degree or recompute, which uniform forbids"
    allowed = (
        ("pipelining", solution.pipelining, problem.pipelinings),
        ("order", solution.order, problem.orders),
        ("zero", solution.zero, problem.zero),
        ("data", solution.data, problem.data or range(1, problem.devices + 1)),
        ("pipeline", len(solution.stages) // solution.pipelining.chunks, problem.pipeline),
    )
    for name, value, values in allowed:
        if values and value not in values:
            yield f"{name}: {value} is not among {', '.join(map(str, values[:8]))}{', …' if len(values) > 8 else ''}"
    if solution.data > problem.microbatches:
        yield f"data: {solution.data} replicas cannot share {problem.microbatches} microbatches"
    if solution.data % problem.expert:
        yield f"data: {solution.data} replicas hold no whole expert groups of {problem.expert}"


def _limits(problem: Problem, solution: Solution) -> Iterator[str]:
    """Devices, and memory of every device."""
    pipeline = len(solution.stages) // solution.pipelining.chunks
    widths = [max(plan.tensor for plan in solution.stages[s::pipeline]) for s in range(pipeline)]
    if sum(widths) * solution.data > problem.devices:
        yield f"devices: {sum(widths) * solution.data} in use, {problem.devices} allowed"
    microbatches = replica_microbatches(problem, solution.data)
    own = solution.pipelining
    refused = SCHEDULES[own.schedule].refusal(pipeline, microbatches, own.chunks)
    if refused is not None:
        yield f"{refused[0]}: {refused[1]}"
        return
    for s in range(pipeline):
        chunks = [
            [o for layer in plan.layers if (o := _option(problem, layer, plan)) is not None]
            for plan in solution.stages[s::pipeline]
        ]
        place, degrees = (s, pipeline, microbatches), (solution.data, solution.zero)
        used = device_bytes(problem, chunks, solution.pipelining, place, degrees)
        if used > problem.memory_bytes:
            yield f"memory_bytes: device {s} needs {used:,} bytes, {problem.memory_bytes:,} are there"


def bound(problem: Problem) -> tuple[int | float | None, str]:
    """(score that no placement is below, how it is proved).

    The work of all microbatches on all devices, N · Σ t·(f + b) / devices, and the passes of one microbatch through
    all layers (without weight gradients where a schedule may make them later), with the least of the options of each
    layer and without any exchange.
    """
    if problem.semantics == "phaze":
        return phaze.bound(problem)
    table = numbers(problem)

    def least(weight: bool, tensor: bool) -> int:
        return sum(min(_ticks(o, weight, tensor) for o in layer.options) for layer in problem.layers)

    def _ticks(option: Option, weight: bool, tensor: bool) -> int:
        ticks = table.up(option.forward_s) + table.up(option.backward_s)
        return (ticks if weight else ticks - table.up(option.weight_s)) * (option.tensor if tensor else 1)

    work = -(-problem.microbatches * least(weight=True, tensor=True) // problem.devices)
    whole = not any(SCHEDULES[own.schedule].split_backward for own in problem.pipelinings)
    return max(work, least(weight=whole, tensor=False)), "work of all devices, and one microbatch through all layers"


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Limits in conflict that show without search: a layer alone that no device holds in any way."""
    if problem.semantics == "phaze":
        return (), ()
    most = max(_replicas(problem))
    for layer in problem.layers:
        need = min(stage_bytes(problem, [o], 1, most, max(problem.zero)) for o in layer.options)
        if need > problem.memory_bytes:
            message = f"memory_bytes: at least {need:,}, for layer {layer.name!r} alone"
            return ("memory_bytes",), (message, *_more_options(problem, [layer.name]))
    return (), ()


def _replicas(problem: Problem) -> Sequence[int]:
    most = min(problem.devices, problem.microbatches)
    return problem.data or range(problem.expert, most + 1, problem.expert)


def _more_options(problem: Problem, names: Sequence[str]) -> list[str]:
    """What else may help, as far as the problem does not allow it already."""
    chosen = [o for layer in problem.layers if layer.name in names for o in layer.options]
    kinds, degrees = {o.recompute for o in chosen}, [o.tensor for o in chosen]
    found = []
    if "full" not in kinds and any(o.stash_bytes for o in chosen):
        found.append(f"recompute: full, beside {', '.join(sorted(kinds))}")
    if degrees and max(degrees) < problem.devices:
        found.append(f"tensor: more than {max(degrees)} devices of a group")
    if max(problem.zero) < 3 and max(_replicas(problem)) > 1:
        found.append(f"zero: {max(problem.zero) + 1}, which shards more of the states among replicas")
    return found
