"""A design with a variant: the bounds of all its plans, from weak to exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.ports import Clock
from accmine.problems import device_placement
from accmine.problems.design_placement.cut_bounds import Pairs, cut_bounds, joined
from accmine.problems.design_placement.layer_bounds import BACKWARD, FORWARD, SAFE, UPDATE
from accmine.problems.design_placement.plan_bounds import Plans, cheap_bounds
from accmine.problems.design_placement.plans import Terms
from accmine.problems.design_placement.times import class_at, problem_on
from accmine.problems.device_placement.chain_bound import least_chain
from accmine.record import Record
from accmine.registry import make_solver
from accmine.system import SCHEDULES, OneForwardOneBackward

__all__ = ["Key", "chain_of", "chained_of", "decided", "pairs_of", "reach", "tell_apart"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Key:
    """A design with a variant.

    Attributes
    ----------
    seconds
        Bounds of forward, backward and update of one layer of each class; shape (classes, 3).
    plans, bounds, exact
        Plans that may still win, the bound of each, and whether it is the least over all cuts.
    members
        Whether the plans are told apart by their replicas.
    effort
        Levels of work spent on its operator schedules.
    best
        The best placement of the last plan that was decided, for the bounds as they were.
    """

    variant: int
    design: Design
    terms: Terms
    seconds: FloatArray
    plans: Plans
    bounds: FloatArray
    members: bool = False
    effort: int = 0
    exact: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    best: device_placement.Solution | None = None

    @property
    def least(self) -> float:
        """No plan of it has a shorter step; ``inf`` if none may win."""
        return float(self.bounds.min(initial=inf))

    @property
    def settled(self) -> bool:
        """Whether the plan of least bound has an exact one."""
        return self.members and (len(self.bounds) == 0 or bool(self.exact[self.bounds.argmin()]))

    def keep(self, upper: float) -> None:
        """Leave out plans whose bounds reach ``upper``."""
        which = np.flatnonzero(self.bounds < upper)
        self.plans, self.bounds = self.plans.take(which), self.bounds[which]
        if self.members:
            self.exact = self.exact[which]

    def _tell_apart(self, upper: float) -> int:
        """Bounds of every number of replicas, whatever the cut; how many."""
        self.keep(upper)
        if not len(self.plans):  # an answer that was found meanwhile leaves nothing of it
            self.members, self.exact = True, np.zeros(0, dtype=bool)
            return 0
        apart = self.terms.members(self.plans)
        rows = np.repeat(self.bounds, self._counts(apart))
        cheap = SAFE * cheap_bounds(apart, self.seconds[:, :, None], self._fullest(apart))[:, 0]
        self.plans, self.bounds, self.members = apart, np.maximum(rows, cheap), True
        self.exact = np.zeros(len(apart), dtype=bool)
        self.keep(upper)
        return len(apart)

    def _counts(self, apart: Plans) -> IntArray:
        where = np.array(
            [
                len(self.terms.replicas(int(a), int(b)))
                for a, b in zip(self.plans.data, self.plans.data_most, strict=True)
            ]
        )
        assert where.sum() == len(apart)
        return where

    def _fullest(self, plans: Plans) -> FloatArray:
        return self.terms.fullest(plans, self.design.hbm_bytes)[:, None]

    def settle(self, upper: float, clock: Clock) -> device_placement.Solution | None:
        """A bound of all cuts of the plan of least bound, simulated, and the best of them that was found."""
        i = int(self.bounds.argmin())
        placed, record = decided(self.terms, self.plans.take(np.array([i])), self.seconds, self.design.hbm_bytes, clock)
        if record.infeasible:
            self.bounds[i] = inf
        elif record.bound is not None:
            self.bounds[i] = max(float(self.bounds[i]), SAFE * device_placement.shown_bound(placed, record.bound))
        self.exact[i] = True
        self.keep(upper)
        self.best = record.best or self.best
        return record.best

    def raise_seconds(self, seconds: FloatArray, upper: float) -> None:
        """Better bounds of layers: of all plans again."""
        seconds = np.maximum(self.seconds, seconds)
        if len(self.plans) and (seconds > self.seconds * (1 + 1e-9)).any():
            self.seconds = seconds
            self.exact = np.zeros(len(self.plans), dtype=bool)
            cheap = SAFE * cheap_bounds(self.plans, seconds[:, :, None], self._fullest(self.plans))[:, 0]
            self.bounds = np.maximum(self.bounds, cheap)
        self.keep(upper)
        if self.members:
            _cut([self], upper)

    def most_promising(self, count: int) -> Plans:
        """The plans of least bound, by replicas apart."""
        plans = self.plans.take(np.argsort(self.bounds, kind="stable")[:count])
        return plans if self.members else self.terms.members(plans)


def tell_apart(keys: Sequence[Key], upper: float) -> int:
    """Bounds of every number of replicas of the plans of some keys, over all cuts; how many pairs were bounded."""
    apart = [key for key in keys if not key.members]
    count = sum(key._tell_apart(upper) for key in apart)
    for runs in dict.fromkeys(key.terms.runs for key in apart):
        _cut([key for key in apart if key.terms.runs == runs], upper)
    return count


def _cut(keys: Sequence[Key], upper: float) -> None:
    """Raise the bounds to those over all cuts, of keys with the same runs: a walk takes little longer for many."""
    rows = [np.flatnonzero(chained_of(key.terms, key.plans)) for key in keys]
    some = [(key, at) for key, at in zip(keys, rows, strict=True) if len(at)]
    if some:
        pairs = joined([pairs_of(k.terms, k.plans.take(at), k.seconds, k.design.hbm_bytes) for k, at in some])
        found = SAFE * cut_bounds(pairs, np.concatenate([key.bounds[at] for key, at in some]), upper)
        for (key, at), own in zip(some, np.split(found, np.cumsum([len(at) for _, at in some])[:-1]), strict=True):
            key.bounds[at] = np.maximum(key.bounds[at], own)
    for key in keys:
        key.keep(upper)


def chained_of(terms: Terms, plans: Plans) -> BoolArray:
    """Which plans have chains over cuts."""
    schedules = [SCHEDULES[p.schedule] for p in terms.problem.pipelinings]
    known = np.array([not (own.chunked or own.split_backward) for own in schedules])
    return np.asarray(known[plans.pipelining], dtype=np.bool_)


def decided(
    terms: Terms, plan: Plans, seconds: FloatArray, hbm_bytes: int, clock: Clock
) -> tuple[device_placement.Problem, Record[device_placement.Solution]]:
    """The device placement of one plan with some times of layers, and what its solver knows of all cuts."""
    problem = terms.problem
    times = [tuple(seconds[kind].tolist()) for kind in class_at(terms.variant)]
    placed = replace(
        problem_on(problem, terms.variant, hbm_bytes, times),
        pipeline=(int(plan.stages[0]),),
        data=(int(plan.data[0]),),
        orders=(problem.orders[int(plan.order[0])],),
        pipelinings=(problem.pipelinings[int(plan.pipelining[0])],),
        zero=(problem.zero[int(plan.zero[0])],),
    )
    record = Record[device_placement.Solution](placed, clock.stop(), solver="chain")
    make_solver(device_placement.KIND, "chain").search(record)
    return placed, record


def pairs_of(terms: Terms, plans: Plans, seconds: FloatArray, hbm_bytes: int) -> Pairs:
    """Plans on one design, or with one set of times of layers, for ``cut_bounds``; seconds as of ``Key``."""
    count = len(plans)
    schedules = [SCHEDULES[p.schedule] for p in terms.problem.pipelinings]
    one = np.array([isinstance(own, OneForwardOneBackward) for own in schedules])
    return Pairs(
        runs=terms.runs,
        stages=plans.stages,
        microbatches=plans.microbatches,
        forward_s=seconds[:, FORWARD, None] + plans.collective_s[:, :, 0].T,
        backward_s=seconds[:, BACKWARD, None] + plans.collective_s[:, :, 1].T,
        update_s=seconds[:, UPDATE, None] / plans.shards + plans.gradient_s.T,
        transfer_s=np.tile(0.5 * plans.transfer_s, (2, 1)),
        memory_bytes=np.full(count, hbm_bytes - terms.working_bytes.min()),
        static_bytes=terms.static_of(plans),
        stash_bytes=np.repeat(terms.stash_bytes[:, None], count, axis=1),
        held=terms.in_flight(plans)[0],
        windows=one[plans.pipelining],
    )


def chain_of(terms: Terms, plan: Plans, seconds: FloatArray, hbm_bytes: int) -> tuple[float, tuple[int, ...] | None]:
    """The exact least chain bound over all cuts of one plan, and the first layers of the stages that have it."""
    kinds = np.repeat([kind for kind, _ in terms.runs], [n for _, n in terms.runs])
    p, m = int(plan.stages[0]), int(plan.microbatches[0])
    layers = seconds[kinds]
    collective, gradient = plan.collective_s[0, kinds], plan.gradient_s[0, kinds]
    messages = terms.boundaries(plan)
    value, cut = least_chain(
        layers[:, FORWARD] + collective[:, 0],
        layers[:, BACKWARD] + collective[:, 1],
        layers[:, UPDATE] / plan.shards[0] + gradient,
        stages=p,
        microbatches=m,
        there=messages,
        back=messages,
        reach=reach(terms, plan, hbm_bytes),
        schedule=terms.problem.pipelinings[int(plan.pipelining[0])].schedule,
    )
    return float(value), cut


def reach(terms: Terms, plan: Plans, hbm_bytes: int) -> IntArray:
    """For the r-th stage from the end, by first layer, the layer behind the longest stage in memory."""
    kinds = np.repeat([kind for kind, _ in terms.runs], [n for _, n in terms.runs])
    p, count = int(plan.stages[0]), len(kinds)
    static = terms.static_bytes(int(plan.data[0]), int(plan.zero[0]))[kinds]
    stash, working = terms.stash_bytes[kinds], terms.working_bytes[kinds]
    held = terms.held(int(plan.pipelining[0]), p, int(plan.microbatches[0]))
    peak = np.zeros((count, count))
    for i in range(count):
        peak[i, i:] = np.maximum.accumulate(working[i:])
    found = np.zeros((p, count), dtype=np.int64)
    for r in range(1, p + 1):
        each = np.concatenate([[0.0], np.cumsum(static + held[p - r] * stash)])
        need = each[None, 1:] - each[:-1, None] + peak
        fits = (need <= hbm_bytes) & (np.arange(count)[None, :] >= np.arange(count)[:, None])
        found[r - 1] = np.arange(count) + fits.sum(axis=1)
    return found
