"""Descent over rules for classes of equal operators, each rule tried with a list schedule.

The layers of a network repeat the same operators, so a schedule of thousands of operators is settled by few
decisions: for each class of equal work (mode set) the modes it may use, and how far it moves up or down the
line. A step changes the rule of one class, or of two that should run beside each other, schedules all
operators with it, and keeps what is not worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem, Solution, objective

from .list_schedule import ListScheduler

__all__ = ["ClassDescent", "Rule"]

IntArray = npt.NDArray[np.int64]

_STARTS = tuple(
    (policy, reverse) for reverse in (True, False) for policy in ("earliest-finish", "aside", "fair", "slack")
)
_POLICIES = ("earliest-finish", "aside", "fair", "patient", "slack")
_OFFSETS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Spreads of the offsets, as parts of the critical path."""


@dataclass(frozen=True)
class Rule:
    """How one list schedule is made.

    Attributes
    ----------
    policy, reverse
        See ``list_schedule.ListScheduler.run``.
    allowed
        Modes that each class may use; ``None`` for all.
    offset
        Added to the priority of the operations of each class, in time units.
    """

    policy: str
    reverse: bool
    allowed: tuple[tuple[int, ...] | None, ...]
    offset: tuple[int, ...]


class ClassDescent:
    """The search; every ``step`` makes one list schedule.

    Attributes
    ----------
    best, value
        Best schedule so far and its makespan; ``None`` before the first step.
    rule
        The rule that the search is at.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem = problem
        self.scheduler = ListScheduler(problem)
        self.random = np.random.default_rng(seed)
        self.best: Solution | None = None
        self.value: int | None = None
        classes = len(problem.mode_sets)
        plain = (None,) * classes, (0,) * classes
        self._starts = [Rule(policy, reverse, *plain) for policy, reverse in _STARTS]
        self.rule = self._starts[0]
        shortest = problem.shortest
        self._priority = {
            reverse: (self.scheduler.heads if reverse else self.scheduler.tails) + shortest[problem.mode_set]
            for reverse in (True, False)
        }
        self._length = max(1, int(self._priority[True].max(initial=0)))
        count = np.bincount(problem.mode_set, minlength=classes)
        self._present = np.flatnonzero(count)
        weight = (shortest * count).astype(np.float64)[self._present] + 1.0
        # Half by work, half evenly: what takes most of the time matters most.
        self._weight = 0.5 * weight / weight.sum() + 0.5 / max(1, len(weight))
        self._fitting = [
            np.flatnonzero(problem.fits[first : first + n])
            for first, n in zip(problem.first_mode.tolist(), problem.mode_count.tolist(), strict=True)
        ]

    def step(self) -> bool:
        """Try one rule; whether it is better than all before."""
        rule = self._starts.pop(0) if self._starts else self._neighbour()
        offset = np.array(rule.offset, dtype=np.int64)
        solution = self.scheduler.run(
            self._priority[rule.reverse] + offset[self.problem.mode_set],
            policy=rule.policy,
            reverse=rule.reverse,
            target=self.value,
            allowed=rule.allowed,
        )
        value = objective(self.problem, solution)
        better = self.value is None or value < self.value
        if better or value == self.value:  # equal ones too: a plateau is crossed
            self.best, self.value, self.rule = solution, value, rule
        return better

    def _neighbour(self) -> Rule:
        rule = self.rule
        draw = self.random.random()
        if draw < 0.05:
            policy = _POLICIES[int(self.random.integers(len(_POLICIES)))]
            return replace(rule, policy=policy, reverse=bool(self.random.random() < 0.5))
        changes = 1 if draw < 0.6 else 2
        for _ in range(changes):
            own = int(self.random.choice(self._present, p=self._weight))
            rule = self._moved(rule, own) if self.random.random() < 0.4 else self._limited(rule, own)
        return rule

    def _limited(self, rule: Rule, own: int) -> Rule:
        """``rule`` with other modes for class ``own``."""
        fitting = self._fitting[own]
        if len(fitting) < 2:
            return self._moved(rule, own)
        draw = self.random.random()
        allowed: tuple[int, ...] | None = None
        if draw < 0.5:
            allowed = (int(self.random.choice(fitting)),)
        elif draw < 0.8:
            some = fitting[self.random.random(len(fitting)) < 0.5]
            allowed = tuple(some.tolist()) or None
        return replace(rule, allowed=(*rule.allowed[:own], allowed, *rule.allowed[own + 1 :]))

    def _moved(self, rule: Rule, own: int) -> Rule:
        """``rule`` with another offset for class ``own``."""
        offset = 0
        if self.random.random() < 0.75:
            spread = float(self.random.choice(_OFFSETS)) * self._length
            offset = round(float(self.random.normal(0.0, spread)))
        return replace(rule, offset=(*rule.offset[:own], offset, *rule.offset[own + 1 :]))
