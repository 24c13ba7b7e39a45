"""What a placement's step is made of: stages, memory by purpose, where the time goes, and its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from accmine.problems.device_placement import Option, Problem, Solution, StagePlan
from accmine.problems.device_placement.memory import device_bytes, held_microbatches, layer_memory
from accmine.problems.device_placement.numbers import Way, numbers, replica_microbatches
from accmine.problems.device_placement.rules import stage_times, way_of
from accmine.questions.run.placement.record import MemoryRow, StageOfPlacement, StepParts
from accmine.report import link_lanes, timeline_lanes
from accmine.system import simulate, step_time
from accmine.system.memory import stage_memory

__all__ = ["placement_lanes", "stage_rows", "step_parts"]


def stage_rows(problem: Problem, solution: Solution) -> tuple[StageOfPlacement, ...]:
    """Every stage in pipeline order, p × chunks of them."""
    way, table = way_of(problem, solution), numbers(problem)
    _, sent = stage_times(problem, solution)
    rows = []
    for number, plan in enumerate(solution.stages):
        forward, backward, collectives, gradient, update = map(table.seconds, _split(problem, solution, plan))
        rows.append(
            StageOfPlacement(
                first=problem.layers[plan.layers[0]].name,
                last=problem.layers[plan.layers[-1]].name,
                layers=len(plan.layers),
                forward_s=forward,
                backward_s=backward,
                collectives_s=collectives,
                message_s=table.seconds(sent[number]) if number < len(sent) else 0.0,
                gradient_s=gradient,
                update_s=update,
                memory=_memory(problem, solution, number % way.pipeline, way),
            )
        )
    return tuple(rows)


def _split(problem: Problem, solution: Solution, plan: StagePlan) -> tuple[int, int, int, int, int]:
    """Ticks of a stage: forward, backward, collectives of both passes; gradient sum, update."""
    way = way_of(problem, solution)
    options = [_option(problem, layer, plan) for layer in plan.layers]
    whole = _ticks(problem, options, way)
    silent = _ticks(problem, [replace(o, forward_collectives=(), backward_collectives=()) for o in options], way)
    lazy = _ticks(problem, [replace(o, update_s=0.0) for o in options], way)
    return silent[0], silent[1], whole[0] + whole[1] - silent[0] - silent[1], lazy[2], whole[2] - lazy[2]


def _option(problem: Problem, layer: int, plan: StagePlan) -> Option:
    """How a layer runs in a stage that passed ``check``."""
    return next(o for o in problem.layers[layer].options if (o.tensor, o.recompute) == (plan.tensor, plan.recompute))


def _ticks(problem: Problem, options: Sequence[Option], way: Way) -> tuple[int, int, int]:
    """Forward pass, backward pass, and what stands behind the last one, of layers."""
    rows = [numbers(problem).layer(option, way) for option in options]
    forward, backward, update = (sum(row[k] for row in rows) for k in range(3))
    return forward, backward, update


def _memory(problem: Problem, solution: Solution, device: int, way: Way) -> MemoryRow:
    """HBM of a device; of several chunks all together, in flight counted in chunks."""
    plans = solution.stages[device :: way.pipeline]
    chunks = [[_option(problem, layer, plan) for layer in plan.layers] for plan in plans]
    layers = [layer_memory(option) for options in chunks for option in options]
    data, zero = solution.data, solution.zero
    own = stage_memory(layers, in_flight=0, zero=zero, data=data, expert=problem.expert)
    place = device, way.pipeline, replica_microbatches(problem, data)
    return MemoryRow(
        weights=own.weights,
        gradients=own.gradients,
        optimizer=own.optimizer,
        stash=device_bytes(problem, chunks, solution.pipelining, place, (data, zero)) - own.total,
        working=own.working,
        in_flight=held_microbatches(solution.pipelining, *place),
        capacity=problem.memory_bytes,
    )


def step_parts(problem: Problem, solution: Solution) -> StepParts:
    """Where the step goes on the mean device of the pipeline; sums in whole ticks, so that nothing is below zero."""
    table, devices = numbers(problem), way_of(problem, solution).pipeline
    microbatches = replica_microbatches(problem, solution.data)
    rows = [_split(problem, solution, plan) for plan in solution.stages]
    compute = microbatches * sum(row[0] + row[1] for row in rows)
    collectives, gradient, update = (
        microbatches * sum(r[2] for r in rows),
        sum(r[3] for r in rows),
        sum(r[4] for r in rows),
    )
    step, wordless = _step(problem, solution), _step(problem, solution, silent=True)
    bubble = devices * wordless - compute - collectives - gradient - update
    return StepParts(
        compute_s=table.seconds(compute) / devices,
        collectives_s=table.seconds(collectives) / devices,
        messages_s=table.seconds(step - wordless),
        bubble_s=table.seconds(bubble) / devices,
        gradient_s=table.seconds(gradient) / devices,
        update_s=table.seconds(update) / devices,
    )


def _step(problem: Problem, solution: Solution, *, silent: bool = False) -> int:
    """Ticks of the simulated step; ``silent``: messages between stages take no time."""
    (forward, backward, update, weight), sent = stage_times(problem, solution)
    sends = [0] * len(sent) if silent else sent
    microbatches, how = replica_microbatches(problem, solution.data), solution.pipelining
    return int(
        step_time(how.schedule, forward, backward, update, sends, microbatches, chunks=how.chunks, weight_s=weight)
    )


def placement_lanes(problem: Problem, solution: Solution) -> list[Any]:
    """The step of one replica: one track for each stage, and one for each link and direction."""
    (forward, backward, update, weight), sent = stage_times(problem, solution)
    microbatches = replica_microbatches(problem, solution.data)
    how = solution.pipelining
    timeline = simulate(how.schedule, forward, backward, update, sent, microbatches, chunks=how.chunks, weight_s=weight)
    unit = numbers(problem).seconds(1)
    lanes: list[Any] = timeline_lanes(timeline, process="pipeline of one replica", seconds_per_unit=unit)
    return lanes + link_lanes(timeline, sent, process="links of one replica", seconds_per_unit=unit)
