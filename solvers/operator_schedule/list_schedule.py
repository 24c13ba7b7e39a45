"""List scheduling: one pass over time that starts, whenever something ends, what has waited longest in line.

The parallel schedule generation scheme (Kelley 1963; Kolisch, EJOR 90 (1996) 320-333) with modes: at every
end of an operation the ready ones are started in order of priority as far as the free resources allow.

Ready operations stand in one heap per mode set, and the heaps in one line per set of resources that every
mode of theirs needs. While one of these resources is used up the whole line waits and costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.operator_schedule import Problem, Solution, heads, lower_bound, order, reverse_solution, tails
from accmine.problems.operator_schedule.precedence import Order

from .unit_pass import Slots

__all__ = ["POLICIES", "Allowed", "ListScheduler", "Policy", "schedule"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Policy:
    """How an operation that may start chooses its mode.

    Attributes
    ----------
    prefer
        ``fast``: least duration; ``lean``: least duration × the largest share of a resource it holds;
        ``slack``: the smallest largest share among the modes that end before the latest end the operation
        may have in a schedule of the target length, else least duration.
    stretch
        Modes longer than this many times the fastest that fits the machine are not used: the operation
        rather waits.
    fair
        Hold at most an equal share of what is free, divided by the ready operations that need it, so that
        many small operations run side by side and a lone one is spread wide.
    aside
        Largest share of any resource that an operation of a class (mode set) with slack may hold: it runs
        aside, in what the critical ones leave. A class has slack when the mean of its operations is above a
        tenth of the critical path; those without so small a mode take the smallest.
    """

    prefer: str
    stretch: float
    fair: bool
    aside: float = 1.0


POLICIES: dict[str, Policy] = {
    "earliest-finish": Policy("fast", 4.0, fair=False),
    "patient": Policy("fast", 1.5, fair=False),
    "fair": Policy("fast", 4.0, fair=True),
    "efficient": Policy("lean", 8.0, fair=False),
    "slack": Policy("slack", 4.0, fair=False),
    "fair-slack": Policy("slack", 4.0, fair=True),
    "aside": Policy("fast", 4.0, fair=False, aside=0.25),
}
"""Policies by name, for ``schedule``."""

_HAS_SLACK = 0.1  # of the critical path

Allowed = Sequence[Collection[int] | None]
"""For each mode set the modes that may be used; ``None`` for all."""

_Mode = tuple[int, int, tuple[tuple[int, int], ...]]
"""Duration, index in its mode set, and (resource, amount) pairs; nothing is held for duration 0."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The modes of every mode set in order of preference, and what every one of them needs.

    ``lean`` holds the same modes with the smallest share first, ``least`` is the least amount of each
    resource that any of the modes holds, ``line`` the index in ``lines`` of the set of resources of which
    that is not zero.
    """

    modes: list[tuple[_Mode, ...]]
    lean: list[tuple[_Mode, ...]]
    least: list[tuple[int, ...]]
    line: list[int]
    lines: list[tuple[int, ...]]


def _pairs(uses: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((r, amount) for r, amount in enumerate(uses) if amount)


def _sorted_modes(
    problem: Problem, index: int, capacity: list[int], stretch: float, by: str, allowed: Collection[int] | None
) -> tuple[_Mode, ...]:
    """The modes of one set that are allowed, fit and are not too long, best first."""
    modes = problem.mode_sets[index]
    rows = [
        (d, k, u)
        for k, (d, u) in enumerate(zip(modes.duration.tolist(), modes.uses.tolist(), strict=True))
        if (allowed is None or k in allowed) and all(a <= c for a, c in zip(u, capacity, strict=True))
    ]
    if not rows:
        return ()
    limit = min(d for d, _, _ in rows) * stretch

    def share(uses: list[int]) -> float:
        return max((a / c for a, c in zip(uses, capacity, strict=True) if a), default=0.0)

    if by == "lean":
        rows.sort(key=lambda row: (row[0] * share(row[2]), row[0]))
    elif by == "share":
        rows.sort(key=lambda row: (share(row[2]), row[0]))
    else:
        rows.sort(key=lambda row: (row[0], share(row[2])))
    return tuple((d, k, _pairs(u)) for d, k, u in rows if d <= limit)


def _table(problem: Problem, policy: Policy, allowed: Allowed | None = None) -> _Table:
    capacity = problem.capacity.tolist()
    everything = range(len(capacity))
    groups = range(len(problem.mode_sets))
    by = "lean" if policy.prefer == "lean" else "fast"
    only = [None] * len(groups) if allowed is None else allowed
    modes = [_sorted_modes(problem, g, capacity, policy.stretch, by, only[g]) for g in groups]
    lean = [_sorted_modes(problem, g, capacity, policy.stretch, "share", only[g]) for g in groups]
    least: list[tuple[int, ...]] = []
    line: list[int] = []
    lines: dict[tuple[int, ...], int] = {}
    for own in modes:
        amounts = [dict(pairs) for _, _, pairs in own]
        least.append(tuple(min((a.get(r, 0) for a in amounts), default=0) for r in everything))
        needed = tuple(r for r in everything if least[-1][r])
        line.append(lines.setdefault(needed, len(lines)))
    return _Table(modes, lean, least, line, list(lines))


class ListScheduler:
    """List schedules of one problem; what the passes share is prepared once.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.order = order(problem)
        self.heads = heads(problem)
        self.tails = tails(problem)
        self.bound, self.bound_method = lower_bound(problem)
        self._tables: dict[Policy, _Table] = {}
        self._slots = Slots.of(problem)

    def run(
        self,
        priority: IntArray | Sequence[int] | None = None,
        *,
        policy: str = "earliest-finish",
        reverse: bool = False,
        target: int | None = None,
        allowed: Allowed | None = None,
    ) -> Solution:
        """One pass.

        Parameters
        ----------
        priority
            The larger, the earlier in line; ties by position. Default: length of the longest path from the
            start of the operation to the end, that is least slack first. Shape (operations,).
        policy
            Key of ``POLICIES``.
        reverse
            Schedule backwards from the end and mirror the result; ``priority`` then counts backwards in
            time as well (heads instead of tails).
        target
            Makespan from which the policies with slack count it; default: the lower bound.
        allowed
            For each mode set the indices of the modes that may be used; ``None`` for all of them.

        Raises
        ------
        InputError
            If the policy is unknown, or an operation has no allowed mode that fits.
        """
        if policy not in POLICIES:
            raise InputError(f"unknown policy {policy!r}; known: {', '.join(POLICIES)}")
        chosen = POLICIES[policy]
        if self._slots is not None and allowed is None:
            return self._without_choice(self._slots, priority, reverse)
        table = self._tables.get(chosen) if allowed is None else None
        if table is None:
            table = _table(self.problem, chosen, self._limited(chosen, allowed))
            if allowed is None:
                self._tables[chosen] = table
        n = len(self.problem)
        if n == 0:
            return Solution(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        ranked, rank = self._ranked(priority, reverse)
        latest = (self.bound if target is None else target) - (self.heads if reverse else self.tails)
        line_up = self.order.reversed() if reverse else self.order
        if allowed is not None:
            for group in sorted(set(self.problem.mode_set.tolist())):
                if not table.modes[group]:
                    name = self.problem.names[int(np.argmax(self.problem.mode_set == group))]
                    raise InputError(f"no allowed mode of {name} fits the capacities")
        state = _Pass(self.problem, table, line_up, ranked, rank, latest.tolist())
        start, mode = state.run(chosen)
        solution = Solution(np.array(start, dtype=np.int64), np.array(mode, dtype=np.int64))
        return reverse_solution(self.problem, solution) if reverse else solution

    def _ranked(self, priority: IntArray | Sequence[int] | None, reverse: bool) -> tuple[list[int], list[int]]:
        """Operations by priority, and the place of each among them."""
        if priority is None:
            after = self.heads if reverse else self.tails
            priority = after + self.problem.shortest[self.problem.mode_set]
        ranked = np.argsort(-np.asarray(priority, dtype=np.int64), kind="stable")
        rank = np.empty(len(ranked), dtype=np.int64)
        rank[ranked] = np.arange(len(ranked))
        return ranked.tolist(), rank.tolist()

    def _without_choice(self, slots: Slots, priority: IntArray | Sequence[int] | None, reverse: bool) -> Solution:
        """One pass where every policy does the same."""
        start = slots.run(self.order.reversed() if reverse else self.order, *self._ranked(priority, reverse))
        solution = Solution(np.array(start, dtype=np.int64), np.array(slots.mode, dtype=np.int64))
        return reverse_solution(self.problem, solution) if reverse else solution

    def _limited(self, policy: Policy, allowed: Allowed | None) -> Allowed | None:
        """``allowed``, and where it says nothing what ``policy.aside`` leaves to classes with slack."""
        problem = self.problem
        if policy.aside >= 1.0 or not len(problem):
            return allowed
        shortest = problem.shortest[problem.mode_set]
        length = int((self.heads + shortest).max())
        slack = length - self.heads - self.tails - shortest
        classes = len(problem.mode_sets)
        count = np.bincount(problem.mode_set, minlength=classes)
        total = np.bincount(problem.mode_set, weights=slack, minlength=classes)
        limits: list[Collection[int] | None] = []
        for g, modes in enumerate(problem.mode_sets):
            own = None if allowed is None else allowed[g]
            if own is None and total[g] > _HAS_SLACK * length * count[g]:
                share = (modes.uses / np.maximum(problem.capacity, 1)).max(axis=1, initial=0.0)
                own = np.flatnonzero(share <= max(policy.aside, float(share.min()))).tolist()
            limits.append(own)
        return limits


class _Pass:
    """The state of one pass over time."""

    def __init__(
        self, problem: Problem, table: _Table, line_up: Order, by_rank: list[int], rank: list[int], latest: list[int]
    ) -> None:
        self.table = table
        self.order = line_up
        self.by_rank = by_rank
        self.rank = rank
        self.latest = latest
        self.now = 0
        self.mode_set: list[int] = problem.mode_set.tolist()
        self.free: list[int] = problem.capacity.tolist()
        self.groups: list[list[int]] = [[] for _ in table.modes]
        self.queues: list[list[int]] = [[] for _ in table.lines]
        self.ready_of: list[int] = [0] * len(self.free)

    def enter(self, operations: Sequence[int]) -> None:
        """Put operations in line whose predecessors have all ended."""
        rank, mode_set, groups, queues, line = self.rank, self.mode_set, self.groups, self.queues, self.table.line
        for i in operations:
            r, g = rank[i], mode_set[i]
            group = groups[g]
            if not group or r < group[0]:
                heappush(queues[line[g]], r)  # an older entry of the same group is dropped when it is met
            heappush(group, r)
            for resource in self.table.lines[line[g]]:
                self.ready_of[resource] += 1

    def fair_share(self, group: int) -> list[int]:
        """How much of each resource an operation may hold now, when the ready ones share what is free."""
        rows = zip(self.free, self.table.least[group], self.ready_of, strict=True)
        # The smallest mode may always start: a share below it would leave the resource idle.
        return [min(f, max(least, f // k)) if least and k > 1 else f for f, least, k in rows]

    def choose(self, policy: Policy, i: int) -> _Mode | None:
        """The mode in which operation ``i`` starts now, if it may."""
        group = self.mode_set[i]
        if policy.prefer == "slack":
            left = self.latest[i] - self.now
            for mode in self.table.lean[group]:
                if mode[0] <= left:
                    for resource, amount in mode[2]:
                        if amount > self.free[resource]:
                            break
                    else:
                        return mode
        for limits in (self.fair_share(group), self.free) if policy.fair else (self.free,):
            for mode in self.table.modes[group]:
                for resource, amount in mode[2]:
                    if amount > limits[resource]:
                        break
                else:
                    return mode
        return None

    def next_group(self) -> tuple[int, int]:
        """(line, rank) of the first operation in all lines that are not blocked; (-1, 0) if there is none."""
        queues, groups, by_rank, mode_set, free = self.queues, self.groups, self.by_rank, self.mode_set, self.free
        best, best_line = -1, -1
        for index, queue in enumerate(queues):
            if not queue:
                continue
            for resource in self.table.lines[index]:
                if not free[resource]:
                    break
            else:
                while queue:
                    head = queue[0]
                    group = groups[mode_set[by_rank[head]]]
                    if group and group[0] == head:
                        if best < 0 or head < best:
                            best, best_line = head, index
                        break
                    heappop(queue)
        return best_line, best

    def run(self, policy: Policy) -> tuple[list[int], list[int]]:
        """Start and mode of every operation."""
        n = len(self.mode_set)
        start, mode = [0] * n, [0] * n
        held: list[tuple[tuple[int, int], ...]] = [()] * n
        waiting = [len(before) for before in self.order.predecessors]
        successors, free, groups, queues = self.order.successors, self.free, self.groups, self.queues
        choose = self.choose
        running: list[tuple[int, int]] = []
        self.enter([i for i, count in enumerate(waiting) if not count])
        now = 0
        while True:
            deferred: list[tuple[int, int]] = []
            while (found := self.next_group())[0] >= 0:
                line, head = found
                i = self.by_rank[head]
                group = groups[self.mode_set[i]]
                chosen = choose(policy, i)
                if chosen is None:  # nothing of this group fits until something ends
                    deferred.append((line, heappop(queues[line])))
                    continue
                heappop(group)
                if group:
                    heapreplace(queues[line], group[0])
                else:
                    heappop(queues[line])
                duration, mode[i], held[i] = chosen
                start[i] = now
                for resource, amount in held[i]:
                    free[resource] -= amount
                for resource in self.table.lines[line]:
                    self.ready_of[resource] -= 1
                heappush(running, (now + duration, i))
            for line, head in deferred:
                heappush(queues[line], head)
            if not running:
                return start, mode
            self.now = now = running[0][0]
            ready: list[int] = []
            while running and running[0][0] == now:
                i = heappop(running)[1]
                for resource, amount in held[i]:
                    free[resource] += amount
                for j in successors[i]:
                    waiting[j] -= 1
                    if not waiting[j]:
                        ready.append(j)
            self.enter(ready)


def schedule(problem: Problem, priority: IntArray | Sequence[int], *, policy: str = "earliest-finish") -> Solution:
    """One list schedule of ``problem``; see ``ListScheduler.run``.

    Raises
    ------
    InputError
        If the policy is unknown, an operation fits in no mode, or the precedences hold a cycle.
    """
    return ListScheduler(problem).run(priority, policy=policy)
