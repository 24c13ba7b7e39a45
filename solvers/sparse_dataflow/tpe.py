"""Tree-structured Parzen estimator of Optuna over the levels of layers, with exact foldings in each trial.

In the manner of HASS (arXiv 2406.03088), which maximises accuracy + λ1·sparsity + λ2·throughput - λ3·DSPs by TPE; that
form is remembered and not read, and its weights are not known. Here devices are budgets and accuracy is the loss of the
problem, so what is maximised is

    interval without loss / interval - penalty · max(0, loss - budget) / budget.

HASS evaluates the real network in each trial. On a loss that is a sum over layers this is no judgement of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import (
    Choice,
    LayerOptions,
    Problem,
    Solution,
    budget_at,
    needs_interval,
    tabulate,
)
from accmine.record import Record
from accmine.result import StopReason

from ..design_search.tpe import needed
from .bisection import bisect
from .dynamic_programming import halve, one_resource
from .pruning import non_dominated

__all__ = ["MOST_TRIALS", "Tpe", "Trial"]

MOST_TRIALS = 500
"""Where neither work nor seconds are limited."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial, as ``Result.pool`` has all of them in order.

    Attributes
    ----------
    seconds
        Since the search began.
    interval
        Least one with its levels, whatever they lose; ``None``: no design fits.
    loss
        Of its levels, in parts of ``accmine.sparse.layer.POINT``.
    best
        Interval of the best design within the loss so far; ``None``: none yet.
    """

    number: int
    seconds: float
    interval: int | None
    loss: int
    best: int | None


class Tpe:
    """Baseline; ``stop.work`` is the number of trials.

    Parameters
    ----------
    penalty
        Of a loss that is twice its budget, in multiples of the rate without loss.
    startup
        Trials that are drawn before the estimator begins; the first one has the levels of least loss.

    Raises
    ------
    InputError
        If Optuna is not installed.
    """

    name = "tpe"

    def __init__(self, *, penalty: float = 1.0, startup: int = 10) -> None:
        self.penalty, self.startup = penalty, startup
        self._optuna = needed("optuna", self.name)

    def search(self, record: Record[Solution]) -> StopReason:
        """Ask and tell; the same seed and number of trials give the same answer."""
        needs_interval(record.problem, self.name)
        optuna, inner = self._optuna, _Inner(record)
        most = record.stop.work if record.stop.work is not None else inf if record.stop.seconds else MOST_TRIALS
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = optuna.samplers.TPESampler(seed=record.seed, multivariate=True, n_startup_trials=self.startup)
            study = optuna.create_study(sampler=sampler, direction="maximize")
            axes = {str(i): optuna.distributions.IntDistribution(0, n - 1) for i, n in enumerate(inner.sizes) if n > 1}
            study.enqueue_trial(dict.fromkeys(axes, 0))
            while record.work < most and len(inner.known) < prod(inner.sizes):
                if record.over() is not None:
                    return record.over() or StopReason.TIME
                trial = study.ask(axes)
                value = inner.look([trial.params.get(str(i), 0) for i in range(len(inner.sizes))], self.penalty)
                study.tell(trial, value)
            return record.over() or StopReason.FINISHED
        finally:
            optuna.logging.set_verbosity(before)


class _Inner:
    """The best foldings for given levels: by dynamic programming where that serves, else by bisection."""

    def __init__(self, record: Record[Solution]) -> None:
        self.record, self.problem = record, record.problem
        self.tables = tabulate(self.problem)
        self.ranked = [np.argsort(own.loss, kind="stable").tolist() for own in self.tables]
        self.sizes = [len(own) for own in self.ranked]
        self.known: dict[tuple[int, ...], int | None] = {}
        self.reduced: dict[tuple[int, int], LayerOptions] = {}
        self.first: int | None = None

    def look(self, ranks: Sequence[int], penalty: float) -> float:
        """Value of a trial, whose levels are counted by rising loss."""
        record = self.record
        levels = tuple(own[rank] for own, rank in zip(self.ranked, ranks, strict=True))
        if levels not in self.known:
            self.known[levels] = self._least(levels)
            self.first = self.known[levels] if self.first is None else self.first
        interval = self.known[levels]
        loss = sum(int(own.loss[level]) for own, level in zip(self.tables, levels, strict=True))
        number = len(record.pool)
        record.pool[number] = Trial(number, record.seconds(), interval, loss, record.score)
        record.work += 1
        most = self.problem.budget.loss
        over = 0.0 if most is None else max(0, loss - most) / max(1, most)
        rate = 0.0 if interval is None or self.first is None else self.first / interval
        return rate - penalty * over

    def _least(self, levels: tuple[int, ...]) -> int | None:
        """Least interval with some levels; its design is offered, and is one if the loss fits."""
        tables = [self._table(i, level) for i, level in enumerate(levels)]
        layers = tuple(
            replace(own, levels=(own.levels[level],)) for own, level in zip(self.problem.layers, levels, strict=True)
        )
        fixed = replace(self.problem, layers=layers, budget=replace(self.problem.budget, loss=None))
        if not all(len(own.rows) for own in tables):
            return None
        inner = Record[Solution](fixed, Stop(seconds=_finite(self.record.left())), seed=self.record.seed)
        inner.raise_bound(max(int(own.cycles.min()) for own in tables), "the fastest folding of each layer by itself")
        try:
            halve(inner, one_resource(fixed, tables))
        except InputError:
            bisect(inner, tables)
        if inner.best is None:
            return None
        choices = (Choice(level, own.folding) for level, own in zip(levels, inner.best, strict=True))
        self.record.offer(Solution(tuple(choices)), doubtful=True)
        return int(inner.score)

    def _table(self, i: int, level: int) -> LayerOptions:
        """Options of a layer at a level that none undercuts in cycles and every limited resource."""
        table = self.tables[i]
        key = id(table), level
        if key not in self.reduced:
            self.reduced[key] = _reduced(self.problem, table, level)
        return self.reduced[key]


def _finite(seconds: float) -> float | None:
    return None if seconds == inf else max(0.0, seconds)


def _reduced(problem: Problem, table: LayerOptions, level: int) -> LayerOptions:
    """The options that may be in a best design with the level; where adapters are paid, of each pair of streams."""
    limits = budget_at(problem, int(table.cycles.max()))
    limited = [r for r, most in enumerate(limits) if most is not None]
    most = [inf if most is None else most for most in limits]
    small = np.flatnonzero((table.use[:, :-1] <= most[:-1]).all(axis=1))  # of off-chip bits, longer intervals have more
    streams = table.streams[small] if problem.edges else np.zeros((len(small), 2), dtype=np.int64)
    _, group = np.unique(streams, axis=0, return_inverse=True)
    kept = []
    for own in range(int(group.max(initial=-1)) + 1):
        members = small[group.reshape(-1) == own]
        kept.append(members[non_dominated([table.cycles[level, members], *table.use[members][:, limited].T])])
    which = np.sort(np.concatenate(kept)) if kept else small
    return LayerOptions(
        table.rows[which],
        table.cycles[[level]][:, which],
        table.use[which],
        table.streams[which],
        table.loss[[level]],
        table.engines,
        table.memories,
    )
