"""Why a device placement has no solution: the memory that the best cut needs, and what else would be enough.

The largest device of a cut is least with as many replicas as there is room for: fewer microbatches are in flight, and
ZeRO shards more. So of every number of stages only that one is looked at, and all cuts of it at once: with
need(i, j, r) the bytes of layers i to j - 1 as the r-th stage from the end,

    least[r, i] = min over j max(need(i, j, r), least[r - 1, j]).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.ports import NEVER, Clock
from accmine.problems.device_placement import Layer, Option, Pipelining, Problem, impossible
from accmine.problems.device_placement.memory import held_microbatches, layer_bytes
from accmine.problems.device_placement.numbers import replica_microbatches
from accmine.system import SCHEDULES

from .phaze_chain import fits
from .ways import Kind, Layers

__all__ = ["explain", "least_memory"]

_ENOUGH = np.iinfo(np.int64).max


def explain(problem: Problem, clock: Clock = NEVER) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(limits in conflict, what helps) of a placement without solution; both empty where that is not known."""
    known = impossible(problem)
    if known[0]:
        return known
    if problem.semantics == "phaze":
        return _of_phaze(problem)
    need = least_memory(problem)
    if need is None:
        shapes = ", ".join(f"{own.schedule} with {own.chunks} chunks" for own in problem.pipelinings)
        limits = "pipelinings", "devices", "microbatches"
        return limits, (f"pipelinings: another than {shapes}: no number of stages and replicas fills it",)
    if need <= problem.memory_bytes or not problem.chain:
        return (), ()
    return ("memory_bytes",), (f"memory_bytes: at least {need:,}", *(_others(problem) if not clock.over() else ()))


def _of_phaze(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The least memory, by bisection: more of it never makes a cut impossible."""
    if fits(problem):
        return (), ()
    low, high = problem.memory_bytes, 2 * problem.memory_bytes
    while not fits(replace(problem, memory_bytes=high)):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(replace(problem, memory_bytes=middle)) else (middle, high)
    return ("memory_bytes",), (f"memory_bytes: at least {high:,}",)


def _others(problem: Problem) -> Iterator[str]:
    """Changes of one kind that are enough, the least of each."""
    kinds = {o.recompute for layer in problem.layers for o in layer.options}
    degree = max(problem.degrees)
    for stage in range(max(problem.zero) + 1, 4):
        if _enough(replace(problem, zero=(stage,))):
            yield f"zero: {stage}, which shards more of the states among replicas"
            break
    if "full" not in kinds and _enough(_changed(problem, lambda o: replace(o, stash_bytes=0))):
        yield f"recompute: full beside {', '.join(sorted(kinds))}; without the stash it fits"
    for times in (2, 4, 8):
        if degree * times <= problem.devices and _enough(_changed(problem, lambda o, n=times: _divided(o, n))):
            yield f"tensor: {degree * times} devices of a group, which hold 1/{times} of a layer each"
            break


def _changed(problem: Problem, change: Any) -> Problem:
    layers = tuple(Layer(layer.name, tuple(map(change, layer.options))) for layer in problem.layers)
    return replace(problem, layers=layers)


def _divided(option: Option, times: int) -> Option:
    names = [name for name in Option.__slots__ if name.endswith("_bytes")]
    return replace(option, tensor=option.tensor * times, **{n: -(-getattr(option, n) // times) for n in names})


def _enough(problem: Problem) -> bool:
    need = least_memory(problem)
    return need is not None and need <= problem.memory_bytes


def least_memory(problem: Problem) -> int | None:
    """Bytes of the largest device of the best cut of a chain, at most; ``None``: there is no way at all.

    Several chunks on a device count as one stage each, with one microbatch in flight: at least so much is needed.
    """
    layers, best = Layers(problem), _ENOUGH
    for kinds, own in product(layers.kinds(), problem.pipelinings):
        tensor, chunks = min(kind[0] for kind in kinds), own.chunks
        most = min(len(problem.layers) // chunks, problem.devices // tensor)
        for pipeline in problem.pipeline or range(1, most + 1):
            allowed = problem.data or range(problem.expert, problem.microbatches + 1, problem.expert)
            room = problem.devices // (tensor * pipeline)
            data = [d for d in allowed if d <= min(room, problem.microbatches)]
            refusal = SCHEDULES[own.schedule].refusal
            fits = [d for d in data if refusal(pipeline, replica_microbatches(problem, d), chunks) is None]
            if pipeline <= most and fits:
                best = min(best, _least_of(layers, kinds, own, pipeline, max(fits)))
    return None if best == _ENOUGH else best


def _least_of(layers: Layers, kinds: tuple[Kind, ...], own: Pipelining, pipeline: int, data: int) -> int:
    problem = layers.problem
    m, stages = replica_microbatches(problem, data), pipeline * own.chunks
    parts = [_parts(layers, kind, data) for kind in kinds]
    least: npt.NDArray[np.int64] | None = None
    for r in range(1, stages + 1):
        held = held_microbatches(own, pipeline - r, pipeline, m) if own.chunks == 1 else 1
        need = np.min([states + held * stash + working for states, stash, working in parts], axis=0)
        least = need[:, -1] if least is None else _with_one_more(need, least)
    return int(least[0]) if least is not None else _ENOUGH


def _with_one_more(need: npt.NDArray[np.int64], rest: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    behind = np.append(rest[1:], np.int64(1 << 60))  # of what begins behind the last layer of the stage
    return np.asarray(np.maximum(need, behind[None, :]).min(axis=1))


def _parts(layers: Layers, kind: Kind, data: int) -> tuple[Any, Any, Any]:
    """States, stash and working set of all stages [first layer, layer behind - 1]; never where there is no stage."""
    problem, (distinct, place) = layers.problem, layers.options(kind)
    zero = max(problem.zero)
    rows = []
    for option in distinct:
        states, working = (1 << 55, 0) if option is None else layer_bytes(problem, option, data, zero)
        rows.append((states, 0 if option is None else option.stash_bytes, working))
    states, stash, working = np.array(rows, dtype=np.int64)[place].T
    sums = []
    for each in (states, stash):
        total = np.concatenate([[0], np.cumsum(each)])
        sums.append(total[None, 1:] - total[:-1, None])
    proper = np.triu(np.ones((layers.count, layers.count), dtype=bool))
    largest = np.maximum.accumulate(np.triu(np.broadcast_to(working, proper.shape)), axis=1)
    return np.where(proper, sums[0], 1 << 60), np.where(proper, sums[1], 0), largest
