"""A portfolio of schedules: passes of several kinds, each improved forwards and backwards, then a search on rules.

In the order in which they pay: microbatches staggered, their priorities lowered by a part of the longest path
per copy; the modules of the graph one by one; list schedules and insertion schedules by longest paths; the
same by resource-aware heads and tails; the best ones moved to the end and to the start again until
that gains nothing; on one core less of a kind (a list schedule on fewer cores can be shorter: Graham 1969).
Then, without end, offsets for the priorities of classes of equal operations.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem, Solution, durations, objective
from accmine.record import Record

from .copies import copies
from .insertion import Inserter
from .list_schedule import ListScheduler
from .module_schedule import Module, modules, schedule_module, targets

__all__ = ["AHEAD", "POLICIES", "STAGGER", "Portfolio", "schedule_work"]

IntArray = npt.NDArray[np.int64]

POLICIES = ("earliest-finish", "aside", "patient", "fair", "slack", "efficient")
"""Policies of list schedules, tried where operations have several modes."""

STAGGER = (0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.04)
"""What a copy stands behind the one before, as part of the longest path."""

AHEAD = ((0.35, -0.03), (0.35, 0.01), (0.2, 0.01))
"""The first copy far ahead, the others close together: where the second begins, and what each further one adds."""

_MODULE_SCHEDULES = 60
"""Schedules of a module at most, until it is decided."""

_KEPT = 3
_ROUNDS = 4
_WORTH, _WORTH_LATER = 1.12, 1.05
"""Schedules longer than this many times the best are not improved; in the plan, and in the search."""

_LOOSE = 0.02
"""Mean slack above which a class is loose, as part of the longest path."""

_SPREADS = (0.003, 0.01, 0.03, 0.1, 0.3)
"""Spreads of the offsets, as parts of the longest path."""

_SHIFTS = 0.6
"""Share of the steps that change the order of the best schedule instead of a rule."""

_WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.5)
_SHIFT_SPREADS = (0.003, 0.01, 0.03, 0.1)
"""Stretches of time, and spreads of what is moved, as parts of the makespan."""

_WORK = 1 / 200_000
"""Work of a schedule, per operation: about the seconds it takes."""


def schedule_work(problem: Problem) -> float:
    """Work of one schedule of ``problem``."""
    return _WORK * max(1, len(problem))


@dataclass(frozen=True, eq=False)
class _Rule:
    """A list schedule: base priorities and what is added to those of each class."""

    policy: str
    reverse: bool
    base: IntArray
    offset: IntArray


class Portfolio:
    """The passes for one problem; every schedule goes to ``record``.

    Parameters
    ----------
    record
        Takes the schedules; its ``work`` grows by about the seconds a schedule takes.
    seed
        Of the search on rules.

    Attributes
    ----------
    single
        Whether no operation has a choice of modes.
    searching
        Whether the passes are done and the search on rules has begun.
    """

    def __init__(self, record: Record[Solution], seed: int) -> None:
        self.record = record
        self.problem: Problem = record.problem
        self.lists = ListScheduler(self.problem)
        self.inserter = Inserter(self.problem)
        self.shortest = self.inserter.shortest
        self.length = int((self.inserter.heads + self.shortest + self.inserter.tails).max(initial=0))
        self.random = np.random.default_rng(seed)
        self.single = self.inserter.single
        self.cone_heads: IntArray | None = None
        self.cone_tails: IntArray | None = None
        self.copy: IntArray | None = None
        self.pool: list[tuple[int, Solution]] = []
        self.rules: list[tuple[int, _Rule]] = []
        self.searching = False

    def know(self, head: IntArray, tail: IntArray) -> None:
        """Take over resource-aware heads and tails."""
        self.cone_heads, self.cone_tails = head, tail

    def first(self) -> None:
        """One schedule, at once."""
        self._offer(self.lists.run(reverse=True))

    def steps(self) -> Iterator[None]:
        """Make one schedule after the other; ends only where there is nothing to vary."""
        self.copy = copies(self.problem)
        for part in (self._staggered(), self._modules(), self._plain(), self._aware(), self._settled(), self._fewer()):
            yield from part
        yield from self._search()

    def _offer(self, solution: Solution) -> int:
        """Hand a schedule to the record; its makespan."""
        self.record.work += schedule_work(self.problem)
        self.record.offer(solution)
        return self.take(solution)

    def take(self, solution: Solution) -> int:
        """Keep a schedule to be improved, if it is among the best; its makespan."""
        value = objective(self.problem, solution)
        if all(value != other for other, _ in self.pool):
            self.pool = sorted([*self.pool, (value, solution)], key=lambda row: row[0])[:_KEPT]
        return value

    def _improve(self, solution: Solution, *, fixed: bool = True) -> Iterator[Solution]:
        """The schedule moved to the end, and that to the start; with the same modes, or any."""
        for reverse in (True, False):
            key = solution.start + durations(self.problem, solution) if reverse else -solution.start
            solution = self.inserter.run(key, reverse=reverse, mode=solution.mode if fixed else None)
            yield solution

    def _try(self, solution: Solution) -> Generator[None, None, int]:
        """Offer a schedule and its improvements; returns the best makespan of them."""
        best = value = self._offer(solution)
        yield
        if value <= (_WORTH_LATER if self.searching else _WORTH) * self.record.score:
            for better in self._improve(solution):
                best = min(best, self._offer(better))
                yield
        return best

    def _rule(self, rule: _Rule) -> Iterator[None]:
        """Try a rule and remember how good it is."""
        value = yield from self._try(self._run(rule))
        self.rules.append((value, rule))

    def _run(self, rule: _Rule) -> Solution:
        priority = rule.base + rule.offset[self._classes()]
        return self.lists.run(priority, policy=rule.policy, reverse=rule.reverse, target=self.record.score)

    def _classes(self) -> IntArray:
        """Class of every operation: equal modes, same copy."""
        if self.copy is None:
            return self.problem.mode_set
        return self.problem.mode_set * self._copies() + self.copy

    def _copies(self) -> int:
        return 1 if self.copy is None else int(self.copy.max()) + 1

    def _no_offset(self) -> IntArray:
        return np.zeros(len(self.problem.mode_sets) * self._copies(), dtype=np.int64)

    def _plain(self) -> Iterator[None]:
        """Longest paths, in both directions."""
        plain = {True: self.inserter.heads + self.shortest, False: self.inserter.tails + self.shortest}
        for reverse in (True, False):
            yield from self._rule(_Rule("earliest-finish", reverse, plain[reverse], self._no_offset()))
            yield from self._try(self.inserter.run(reverse=reverse))
        if not self.single:
            for policy in POLICIES[1:]:
                for reverse in (True, False):
                    yield from self._rule(_Rule(policy, reverse, plain[reverse], self._no_offset()))

    def _modules(self) -> Iterator[None]:
        """Critical operations module by module, the others into the gaps."""
        found = modules(self.problem, self.inserter.heads, self.inserter.tails)
        if found is None:
            return
        known: dict[bytes, Solution] = {}

        def decide(module: Module) -> Solution:
            if module.key not in known:
                known[module.key] = schedule_module(module.problem)
                self.record.work += _MODULE_SCHEDULES * schedule_work(module.problem)
            return known[module.key]

        start, mode = targets(found, self.problem, decide)
        late = 2 * self.length - start + int(start.max(initial=0))
        priority = np.where(found.critical, late, self.inserter.tails + self.shortest)
        yield from self._try(self.inserter.run(priority))
        if not self.single:
            # What has slack may take its time, as lean as it gets.
            limit = self.record.score or self.record.bound
            latest = np.where(found.critical, -1, limit - self.inserter.tails)
            for own, late_enough in ((mode, None), (mode, latest), (None, latest)):
                yield from self._try(self.inserter.run(priority, mode=own, latest=late_enough))

    def _aware(self) -> Iterator[None]:
        """Resource-aware heads and tails as priorities."""
        if self.cone_heads is None or self.cone_tails is None:
            return
        for reverse, path in ((True, self.cone_heads), (False, self.cone_tails)):
            yield from self._rule(_Rule("earliest-finish", reverse, path + self.shortest, self._no_offset()))
            yield from self._try(self.inserter.run(path + self.shortest, reverse=reverse))

    def _staggered(self) -> Iterator[None]:
        """Copies one behind the other."""
        if self.copy is None:
            return
        bases = [(True, self.inserter.heads), (False, self.inserter.tails)]
        if self.cone_heads is not None and self.cone_tails is not None:
            bases = [(True, self.cone_heads), (False, self.cone_tails), *bases]
        groups, place = len(self.problem.mode_sets), np.arange(self._copies())
        plans = [part * place for part in STAGGER]
        if self._copies() > 2:
            plans[2:2] = [np.where(place > 0, first + step * (place - 1), 0.0) for first, step in AHEAD]
        for plan in plans:
            for reverse, path in bases:
                later = np.rint(plan * int(path.max(initial=0))).astype(np.int64)
                offset = np.tile(later if reverse else -later, groups)
                yield from self._rule(_Rule("earliest-finish", reverse, path + self.shortest, offset))

    def _settled(self) -> Iterator[None]:
        """The best schedules back and forth until that gains nothing."""
        if not self.single:
            yield from self._relisted()
        for value, solution in list(self.pool):
            for fixed in (True,) if self.single else (True, False):
                last, now = value, solution
                for _ in range(_ROUNDS):
                    before = last
                    for moved in self._improve(now, fixed=fixed):
                        now, last = moved, min(last, self._offer(moved))
                        yield
                    if last >= before:
                        break

    def _relisted(self) -> Iterator[None]:
        """List schedules in the order of the best one, which choose all modes anew."""
        best_rule = min(self.rules, key=lambda row: row[0])[1]
        for policy in (best_rule.policy, "earliest-finish") * 2:
            for reverse in (True, False):
                best = self.pool[0][1]
                key = best.start + durations(self.problem, best) if reverse else -best.start
                target = self.record.score
                self._offer(self.lists.run(key, policy=policy, reverse=reverse, target=target))
                yield

    def _fewer(self) -> Iterator[None]:
        """One unit less of a resource."""
        need = self.problem.modes.uses[self.problem.fits].max(axis=0, initial=0)
        policy, reverse = self.rules[0][1].policy, self.rules[0][1].reverse
        for r, capacity in enumerate(self.problem.capacity.tolist()):
            if not 1 < capacity <= 64 or need[r] >= capacity:
                continue
            less = self.problem.capacity.copy()
            less[r] -= 1
            fewer = ListScheduler(replace(self.problem, capacity=less))
            yield from self._try(fewer.run(policy=policy, reverse=reverse))

    def _search(self) -> Iterator[None]:
        """Change the rule of the best list schedule, or the order of the best schedule; keep what is not worse."""
        value, rule = min(self.rules, key=lambda row: row[0])
        self.searching = True
        moves = _Moves(self)
        while moves.possible:
            if self.random.random() < _SHIFTS:
                yield from self._try(self._shifted(moves))
                continue
            offset = moves(rule.offset)
            if self.random.random() < 0.3:
                offset = moves(offset)
            tried = replace(rule, offset=offset)
            if not self.single and self.random.random() < 0.1:
                tried = replace(tried, policy=str(self.random.choice(POLICIES)))
            found = yield from self._try(self._run(tried))
            if found <= value:
                value, rule = found, tried

    def _shifted(self, moves: _Moves) -> Solution:
        """The best schedule again, with some operations of a stretch of time earlier or later in line."""
        value, best = self.pool[0]
        length = durations(self.problem, best)
        start = moves.shift(best.start, value)
        if not self.single:
            return self.inserter.run(-start, mode=best.mode)
        if self.random.random() < 0.5:
            return self.lists.run(-start)
        return self.lists.run(start + length, reverse=True)


class _Moves:
    """Random changes of the offsets: of a class, of a class in all copies, of a copy, of what has slack in a copy."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.classes = classes = portfolio._classes()
        self.copies = portfolio._copies()
        self.random, self.length = portfolio.random, portfolio.length
        most = len(portfolio._no_offset())
        self.of_copy = np.arange(most) % self.copies
        count = np.bincount(classes, minlength=most)
        weight = np.bincount(classes, weights=portfolio.shortest, minlength=most)
        slack = portfolio.length - portfolio.inserter.heads - portfolio.shortest - portfolio.inserter.tails
        mean = np.bincount(classes, weights=slack, minlength=most) / np.maximum(1, count)
        self.loose = mean > _LOOSE * portfolio.length
        self.present = np.flatnonzero(count)
        chance = weight[self.present] / max(1.0, weight.sum()) + 1.0 / max(1, len(self.present))
        self.chance = chance / chance.sum()

    @property
    def possible(self) -> bool:
        """Whether there is anything to change."""
        return len(self.present) > 1

    def __call__(self, offset: IntArray) -> IntArray:
        """Other offsets."""
        change = round(float(self.random.normal(0.0, float(self.random.choice(_SPREADS)) * self.length)))
        draw = self.random.random() if self.copies > 1 else 0.5 + 0.5 * self.random.random()
        own = int(self.random.choice(self.present, p=self.chance))
        if draw < 0.45:
            moved = self.of_copy == self.of_copy[own]
            if draw < 0.15:
                moved = moved & self.loose
        elif draw < 0.75:
            moved = np.arange(len(offset)) == own
        else:
            moved = np.arange(len(offset)) // self.copies == own // self.copies
        return np.asarray(offset + change * moved)

    def shift(self, start: IntArray, end: int) -> IntArray:
        """Starts of a schedule of length ``end``, some of those in a stretch of time moved."""
        width = float(self.random.choice(_WIDTHS)) * end
        begin = (1.1 * self.random.random() - 0.1) * end
        moved = (start >= begin) & (start < begin + width)
        draw = self.random.random()
        if self.copies > 1 and draw < 0.8:
            moved &= self.of_copy[self.classes] == int(self.random.integers(self.copies))
        if draw > 0.6:
            moved &= self.loose[self.classes]
        change = round(float(self.random.normal(0.0, float(self.random.choice(_SHIFT_SPREADS)) * end)))
        return np.asarray(start + change * moved)
