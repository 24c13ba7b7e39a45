"""Bounds of work that has to fit between heads and tails: energy, cores that start late, rounds.

Let h_i be the earliest start of operation i and q_i the least time between its end and the end of everything.
Whatever starts at a or later and has b or more behind it shares the machine for the makespan less a and b:

    makespan ≥ a + ⌈Σ {w_ir : h_i ≥ a, q_i ≥ b} / C_r⌉ + b    for every a, b and resource r,

with w_ir the least duration × amount of r among the modes of i. ``subset_bound`` is the maximum over *all* (a, b),
by the tree of Vilím's edge finding (CP 2009, "Edge finding filtering algorithm for discrete cumulative resources
in O(kn log n)"). For one core it equals the makespan of Jackson's preemptive schedule (Carlier, EJOR 11 (1982) 42-47).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule.problem import MAX_TIME, Problem, least_work

__all__ = ["Energy", "energy", "subset_bound"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Energy:
    """Least work of every operation on the resources that matter.

    Attributes
    ----------
    resource
        Indices of the resources that somebody uses.
    work
        Least duration × amount, shape (operations, resources that matter).
    capacity
        In the unit of ``work`` over time, shape (resources that matter,).
    """

    resource: tuple[int, ...]
    work: IntArray
    capacity: IntArray


def energy(problem: Problem) -> Energy:
    """Work on every resource that is used, such that sums of it stay within int64.

    Work that is too large for that is counted in units that are rounded down: a capacity of 2^k stands for the
    true one, with the largest k that fits.
    """
    n = len(problem)
    used: list[int] = []
    columns: list[IntArray] = []
    capacity: list[int] = []
    count = np.bincount(problem.mode_set, minlength=len(problem.mode_sets)).tolist()
    for r in range(len(problem.resources)):
        least = least_work(problem, r)
        available = int(problem.capacity[r])
        total = sum(w * c for w, c in zip(least, count, strict=True) if c)
        if total == 0 or available <= 0:
            continue
        if total >= MAX_TIME:
            # total / available is at most the sum of the fastest durations, so 2^k is at least 1.
            k = max(0, (MAX_TIME // (total // available + 1)).bit_length() - 1)
            least = [(w << k) // available for w in least]
            available = 1 << k
        used.append(r)
        columns.append(np.array([w if c else 0 for w, c in zip(least, count, strict=True)], np.int64)[problem.mode_set])
        capacity.append(available)
    work = np.stack(columns, axis=1) if columns else np.zeros((n, 0), dtype=np.int64)
    return Energy(tuple(used), work, np.array(capacity, dtype=np.int64))


def subset_bound(head: IntArray, tail: IntArray, work: IntArray, capacity: int) -> int:
    """Maximum over a, b of a + ⌈Σ {work_i : head_i ≥ a, tail_i ≥ b} / capacity⌉ + b; 0 without work.

    Operations enter in order of falling tails; the leaves of a tree are the operations by head, and every node holds
    Σ work and max_a (capacity · a + Σ {work_i : head_i ≥ a}) of what has entered below it. O(n log n), in exact
    Python integers.

    Parameters
    ----------
    head, tail, work
        Of one resource; shape (operations,).
    capacity
        Of the resource, at least 1.
    """
    held = np.flatnonzero(work > 0)
    if not len(held):
        return 0
    by_head = held[np.argsort(head[held], kind="stable")]
    size = 1
    while size < len(by_head):
        size *= 2
    total = [0] * (2 * size)
    latest = [-1] * (2 * size)  # below every true value: capacity · a + Σ is at least 1
    leaf_work, leaf_head, leaf_tail = (x[by_head].tolist() for x in (work, head, tail))
    falling = np.argsort(-tail[by_head], kind="stable").tolist()
    best = 0
    last = len(falling) - 1
    for k, leaf in enumerate(falling):
        node = leaf + size
        total[node] = leaf_work[leaf]
        latest[node] = capacity * leaf_head[leaf] + leaf_work[leaf]
        while node > 1:
            node >>= 1
            left, right = 2 * node, 2 * node + 1
            more = total[right]
            total[node] = total[left] + more
            a, b = latest[left], latest[right]
            if a >= 0 and a + more > b:
                b = a + more
            latest[node] = b
        b = leaf_tail[leaf]
        if k == last or leaf_tail[falling[k + 1]] != b:
            found = -(-latest[1] // capacity) + b
            best = max(best, found)
    return best
