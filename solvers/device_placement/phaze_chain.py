"""Phaze's objective over all cuts of a chain, exactly: the least of the longest stage loads, as arrays.

With best[s, n, i] the least of the longest loads of s stages from layer i to the end, n of them with as many devices as
the tensor degree and the others with one,

    best[s, n, i] = min over j of max(load(i, j, s), best[s - 1, n - wide(i, j), j]),   s ≤ limit(i, j),

and the batch time is the least over replicas d, stages s and first stages (0, j) of

    max(load(0, j, s), best[s - 1, ·, j]) · (⌈N/d⌉ + s - 1) + 4 (d - 1)/d · parameters(0, j) / bandwidth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.problems.device_placement import Option, Problem, Solution, StagePlan
from accmine.problems.device_placement.phaze import activations, pure_backward
from accmine.record import Record
from accmine.result import StopReason

__all__ = ["fits", "place"]

Array = npt.NDArray[Any]
_METHOD = "dynamic programme over all cuts, degrees and replicas, in floats"


@dataclass(frozen=True, eq=False)
class _Stages:
    """All stages [first layer, layer behind] of one tensor degree.

    Attributes
    ----------
    last, inner
        Load of the last stage of a pipeline, and of the others.
    limit
        Largest position from the end.
    wide
        Whether it takes ``tensor`` devices rather than one.
    parameters
        Bytes.
    """

    tensor: int
    recompute: str
    last: Array
    inner: Array
    limit: Array
    wide: Array
    parameters: Array


def place(record: Record[Solution]) -> StopReason:
    """Decide a chain under the semantics ``phaze``."""
    problem: Problem = record.problem
    best: tuple[float, Solution] | None = None
    for chosen in _kinds(problem):
        if record.left() <= 0:
            return StopReason.TIME
        found = _best(problem, _stages(problem, chosen))
        if found is not None and (best is None or found[0] < best[0]):
            best = found
            record.offer(found[1])
    if record.best is None:
        record.no_solution("no cut fits in memory, at any degree")
    else:
        record.raise_bound(record.score, _METHOD)
    return StopReason.PROVED


def fits(problem: Problem) -> bool:
    """Whether any cut fits in memory, at any degree."""
    return any(_best(problem, _stages(problem, chosen)) is not None for chosen in _kinds(problem))


def _kinds(problem: Problem) -> list[list[Option]]:
    """The options of all layers, one list for each tensor degree and way to recompute that all of them have."""
    kinds = set.intersection(*({(o.tensor, o.recompute) for o in layer.options} for layer in problem.layers))
    return [
        [next(o for o in problem.layers[i].options if (o.tensor, o.recompute) == kind) for i in problem.order_of_layers]
        for kind in sorted(kinds)
    ]


def _stages(problem: Problem, chosen: list[Option]) -> _Stages:
    count, tensor = len(chosen), chosen[0].tensor
    rank = {layer: i for i, layer in enumerate(problem.order_of_layers)}
    arrives, returns, enters = (np.zeros((count + 1, count + 1)) for _ in range(3))
    rate = problem.cluster.link_bytes_per_s
    for edge in problem.edges:
        u, v, size = rank[edge.source], rank[edge.target], edge.bytes_at(tensor)
        arrives[u + 1 : v + 1, v] = np.maximum(arrives[u + 1 : v + 1, v], size / rate)  # [first layer, layer]
        returns[u, u + 1 : v + 1] = np.maximum(returns[u, u + 1 : v + 1], size / rate)  # [layer, layer behind]
        enters[u + 1 : v + 1, v + 1 :] += size  # [first layer, layer behind]
    forward, backward = np.zeros((2, count + 1, count + 1))
    for v in range(count):
        forward[: v + 1, v + 1] = np.maximum(forward[: v + 1, v], arrives[: v + 1, v]) + chosen[v].forward_s
    for v in range(count - 1, -1, -1):
        behind = backward[v + 1, v + 1 :]
        backward[v, v + 1 :] = np.maximum(behind, returns[v, v + 1 :]) + pure_backward(chosen[v])
    totals = [
        _sums([o.forward_s for o in chosen]),
        _sums([pure_backward(o) for o in chosen]),
        _sums([o.weight_bytes + o.gradient_bytes + o.optimizer_bytes for o in chosen]),
        _sums([activations(o) for o in chosen]),
    ]
    recompute = chosen[0].recompute
    inner, stash = forward + backward, totals[3]
    if recompute == "full":
        inner, stash = forward + np.maximum(totals[0] + totals[1], backward), enters
    room = problem.memory_bytes - totals[2] - totals[3]
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(room >= (problem.devices - 1) * stash, problem.devices, 1 + room // stash)
    wide = _sums([not o.whole for o in chosen]) > 0
    return _Stages(
        tensor,
        recompute,
        forward + backward,
        inner,
        np.where(room < 0, 0, limit),
        wide,
        _sums([o.weight_bytes for o in chosen]),
    )


def _sums(values: list[Any]) -> Array:
    total = np.concatenate([[0.0], np.cumsum(np.array(values, dtype=float))])
    return np.asarray(total[None, :] - total[:, None])


def _best(problem: Problem, own: _Stages) -> tuple[float, Solution] | None:
    count, devices = len(problem.layers), problem.devices
    ends = np.arange(count + 1)
    proper = ends[None, :] > ends[:, None]
    last = np.where(proper & (own.limit >= 1), own.last, np.inf)
    empty = np.where(ends == count, 0.0, np.inf)
    tables: list[dict[int, Array]] = [{0: empty}]
    replicas = np.arange(1, min(devices, problem.microbatches) + 1)
    microbatches = -(-problem.microbatches // replicas)
    sums = 4 * (replicas - 1) / replicas / problem.cluster.link_bytes_per_s
    best: tuple[float, int, int, int, int] | None = None
    for s in range(1, min(count, devices) + 1):
        load = last if s == 1 else np.where(proper & (own.limit >= s), own.inner, np.inf)
        tables.append({})
        for n, rest in tables[s - 1].items():
            for wide in (0, 1):
                longest = np.maximum(np.where(own.wide == bool(wide), load, np.inf), rest[None, :])
                least = longest.min(axis=1)
                if np.isfinite(least).any():
                    known = tables[s].get(n + wide)
                    tables[s][n + wide] = least if known is None else np.minimum(least, known)
                first = longest[0]
                used = (n + wide) * own.tensor + s - n - wide
                d = replicas[: devices // used]
                if not (len(d) and np.isfinite(first).any()):
                    continue
                steps = first[None, :] * (microbatches[: len(d)] + s - 1)[:, None]
                whole = steps + sums[: len(d), None] * own.parameters[0][None, :]
                row, cut = divmod(int(whole.argmin()), count + 1)
                if best is None or whole[row, cut] < best[0]:
                    best = float(whole[row, cut]), int(d[row]), s, n + wide, cut
    return None if best is None else (best[0], _plan(problem, own, tables, last, best))


def _plan(
    problem: Problem, own: _Stages, tables: list[dict[int, Array]], last: Array, best: tuple[float, int, int, int, int]
) -> Solution:
    """The stages of the best: layer by layer, along what the tables say."""
    _, data, stages, wides, cut = best
    layer, plans = 0, []
    for s in range(stages, 0, -1):
        load = last if s == 1 else np.where(own.limit >= s, own.inner, np.inf)
        choices = []
        for end in (cut,) if s == stages else range(layer + 1, len(problem.layers) + 1):
            n = wides - int(own.wide[layer, end])
            rest = tables[s - 1].get(n)
            if rest is not None:
                choices.append((max(float(load[layer, end]), float(rest[end])), end, n))
        _, end, wides = min(choices)
        plans.append(StagePlan(tuple(problem.order_of_layers[layer:end]), own.tensor, own.recompute))
        layer = end
    return Solution(tuple(plans), data, problem.orders[0], problem.pipelinings[0], problem.zero[0])
