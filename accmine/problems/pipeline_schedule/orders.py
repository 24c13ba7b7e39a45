"""Orders that need no search: schedules with a name, one microbatch after the other, and what a greedy device does."""

from __future__ import annotations

from math import inf

from accmine.problems.pipeline_schedule.problem import Problem, Solution, lengths
from accmine.system import BACKWARD, FORWARD, SCHEDULES, WEIGHT, schedule_of

__all__ = ["eager", "named", "one_by_one"]


_PARTS = {FORWARD: (FORWARD,), BACKWARD: (BACKWARD, WEIGHT)}


def named(problem: Problem) -> dict[str, Solution]:
    """The named schedules of whole or split backward passes, by name, whether or not they fit the memory.

    With one stage per device those of several chunks are others of them.

    Where the backward pass is split, a schedule with whole ones has every weight pass right behind its backward pass.
    """
    found = {}
    count = len(problem.stages)
    for name, own in SCHEDULES.items():
        if own.chunked or (own.split_backward and not problem.split_backward):
            continue
        schedule = schedule_of(name, count, problem.microbatches)
        orders = [schedule.order(s, count, problem.microbatches) for s in range(count)]
        if problem.split_backward and not own.split_backward:
            orders = [[(k, j) for kind, j in order for k in _PARTS[kind]] for order in orders]
        found[name] = Solution(tuple(map(tuple, orders)))
    return found


def one_by_one(problem: Problem) -> Solution:
    """One microbatch after the other."""
    order = tuple((kind, j) for j in range(problem.microbatches) for kind in problem.kinds)
    return Solution((order,) * len(problem.stages))


def eager(problem: Problem) -> Solution:
    """Every device takes what it can begin first; of equal ones a backward, then a forward, then a weight pass.

    A forward pass has to fit the memory; a problem that is possible is never stuck.
    """
    length, m, count = lengths(problem), problem.microbatches, len(problem.stages)
    whole = [stage.activation + stage.weight_stash for stage in problem.stages]
    free, held = [0] * count, [0] * count
    done = [[0] * count for _ in length]
    arrived: list[list[list[float]]] = [[[0 if s == first else inf] * m for s in range(count)] for first in (0, -1)]
    link = [[0] * count, [0] * count]
    orders: list[list[tuple[int, int]]] = [[] for _ in range(count)]

    def begins(s: int, kind: int) -> float:
        j = done[kind][s]
        if j == m or (kind != FORWARD and j >= done[kind - 1][s]):
            return inf
        if kind == FORWARD and held[s] + whole[s] > problem.stages[s].memory:
            return inf
        message = arrived[kind][s][j] if kind == FORWARD or (kind == BACKWARD and s + 1 < count) else 0
        return max(free[s], message)

    choices = [(s, kind) for s in range(count) for kind in (BACKWARD, FORWARD, WEIGHT) if kind in problem.kinds]
    for _ in range(m * len(choices)):
        s, kind = min(choices, key=lambda choice: begins(*choice))
        begin, j = begins(s, kind), done[kind][s]
        if begin == inf:
            return one_by_one(problem)
        free[s] = int(begin) + length[kind][s]
        held[s] += whole[s] if kind == FORWARD else -_freed(problem, s, kind)
        done[kind][s] += 1
        orders[s].append((kind, j))
        target = s + 1 if kind == FORWARD else s - 1
        if kind != WEIGHT and 0 <= target < count:
            link[kind][s] = max(free[s], link[kind][s]) + problem.transfers[min(s, target)][kind]
            arrived[kind][target][j] = link[kind][s]
    return Solution(tuple(map(tuple, orders)))


def _freed(problem: Problem, s: int, kind: int) -> int:
    stage = problem.stages[s]
    if not problem.split_backward:
        return stage.activation + stage.weight_stash
    return stage.activation if kind == BACKWARD else stage.weight_stash
