"""What a placement's step is made of: stages, memory by purpose, where the time goes, and its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from accmine.problems import device_placement
from accmine.problems.device_placement import Option, Problem, Solution, StagePlan
from accmine.problems.device_placement.memory import held_microbatches
from accmine.problems.device_placement.numbers import Way, numbers, replica_microbatches, state_shares
from accmine.problems.device_placement.rules import stage_times, way_of
from accmine.questions.run.placement.record import MemoryRow, StageOfPlacement, StepParts
from accmine.report import link_lanes, timeline_lanes
from accmine.system import simulate

__all__ = ["placement_lanes", "stage_rows", "step_parts"]


def stage_rows(problem: Problem, solution: Solution) -> tuple[StageOfPlacement, ...]:
    """Every stage in pipeline order, p × chunks of them."""
    way, table = way_of(problem, solution), numbers(problem)
    _, sent = stage_times(problem, solution)
    rows = []
    for number, plan in enumerate(solution.stages):
        options = [_option(problem, layer, plan) for layer in plan.layers]
        whole, silent, lazy = (
            _ticks(problem, [change(option) for option in options], way) for change in (_same, _silent, _lazy)
        )
        rows.append(
            StageOfPlacement(
                first=problem.layers[plan.layers[0]].name,
                last=problem.layers[plan.layers[-1]].name,
                layers=len(plan.layers),
                forward_s=table.seconds(silent[0]),
                backward_s=table.seconds(silent[1]),
                collectives_s=table.seconds(whole[0] + whole[1] - silent[0] - silent[1]),
                message_s=table.seconds(sent[number]) if number < len(sent) else 0.0,
                gradient_s=table.seconds(lazy[2]),
                update_s=table.seconds(whole[2] - lazy[2]),
                memory=_memory(problem, solution, number % way.pipeline, way),
            )
        )
    return tuple(rows)


def _option(problem: Problem, layer: int, plan: StagePlan) -> Option:
    """How a layer runs in a stage that passed ``check``."""
    return next(o for o in problem.layers[layer].options if (o.tensor, o.recompute) == (plan.tensor, plan.recompute))


def _same(option: Option) -> Option:
    return option


def _silent(option: Option) -> Option:
    """Without collectives."""
    return replace(option, forward_collectives=(), backward_collectives=())


def _lazy(option: Option) -> Option:
    """Without the optimiser."""
    return replace(option, update_s=0.0)


def _ticks(problem: Problem, options: Sequence[Option], way: Way) -> tuple[int, int, int]:
    """Forward pass, backward pass, and what stands behind the last one, of layers."""
    rows = [numbers(problem).layer(option, way) for option in options]
    forward, backward, update = (sum(row[k] for row in rows) for k in range(3))
    return forward, backward, update


def _memory(problem: Problem, solution: Solution, device: int, way: Way) -> MemoryRow:
    """HBM of a device; of several chunks all together."""
    plans = solution.stages[device :: way.pipeline]
    options = [_option(problem, layer, plan) for plan in plans for layer in plan.layers]
    sizes = [0, 0, 0]
    for option in options:
        for weights, gradients, states, ranks, _ in state_shares(problem, option, solution.data):
            for k, (size, least) in enumerate(((weights, 3), (gradients, 2), (states, 1))):
                sizes[k] += -(-size // ranks) if solution.zero >= least else size
    microbatches = replica_microbatches(problem, solution.data)
    held = held_microbatches(solution.pipelining, device, way.pipeline, microbatches)
    return MemoryRow(
        weights=sizes[0],
        gradients=sizes[1],
        optimizer=sizes[2],
        stash=held * sum(option.stash_bytes for option in options),
        working=max(option.working_bytes for option in options),
        in_flight=held,
        capacity=problem.memory_bytes,
    )


def step_parts(problem: Problem, solution: Solution) -> StepParts:
    """Where the step goes on the mean device of the pipeline."""
    rows, devices = stage_rows(problem, solution), way_of(problem, solution).pipeline
    microbatches = replica_microbatches(problem, solution.data)
    step_s, without_s = _step_s(problem, solution), _step_s(_wordless(problem), solution)
    compute = microbatches * sum(row.forward_s + row.backward_s for row in rows) / devices
    collectives = microbatches * sum(row.collectives_s for row in rows) / devices
    gradient = sum(row.gradient_s for row in rows) / devices
    update = sum(row.update_s for row in rows) / devices
    messages = max(0.0, step_s - without_s)
    return StepParts(
        compute_s=compute,
        collectives_s=collectives,
        messages_s=messages,
        bubble_s=step_s - messages - compute - collectives - gradient - update,
        gradient_s=gradient,
        update_s=update,
    )


def _step_s(problem: Problem, solution: Solution) -> float:
    return float(device_placement.shown(problem, device_placement.score(problem, solution)))


def _wordless(problem: Problem) -> Problem:
    """The same with stages whose messages take no time."""
    return replace(problem, edges=tuple(replace(edge, message_bytes=0, by_tensor=()) for edge in problem.edges))


def placement_lanes(problem: Problem, solution: Solution) -> list[Any]:
    """The step of one replica: one track for each stage, and one for each link and direction."""
    (forward, backward, update, _), sent = stage_times(problem, solution)
    microbatches = replica_microbatches(problem, solution.data)
    schedule = solution.pipelining.schedule
    timeline = simulate(schedule, forward, backward, update, sent, microbatches)
    unit = numbers(problem).seconds(1)
    lanes: list[Any] = timeline_lanes(timeline, process="pipeline of one replica", seconds_per_unit=unit)
    return lanes + link_lanes(timeline, sent, process="links of one replica", seconds_per_unit=unit)
