"""Solve, ask the real network, correct the losses, and solve again until the true loss is within its budget.

The losses of a problem are a proxy: they are added over layers, which those of a network are not. So the design that
is fastest by the proxy is evaluated, the losses of levels are corrected by what it truly lost (``correction``), and a
design that lost too much is cut off (``cuts``), with all that are at least as sparse if losses are taken as monotone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from accmine.errors import Complaint, InputError
from accmine.ports import Clock, Stop
from accmine.problems.sparse_dataflow import Problem, Solution, loss_of, score, tabulate_from
from accmine.questions.sparse.truth.correction import corrected
from accmine.questions.sparse.truth.cuts import (
    Cut,
    Levels,
    Sought,
    cut_of,
    fastest_outside,
    is_cut,
    levels_of,
    polished,
)
from accmine.questions.sparse.truth.evaluation import Asked, Callback, EvaluationError, Measured, evaluator
from accmine.questions.sparse.truth.rounds import End, Outcome, Round
from accmine.result import Result
from accmine.solving import solve
from accmine.sparse.layer import POINT

__all__ = ["End", "Outcome", "Round", "Settings", "true_loss_loop"]

_WIDER = (1.0, 1.5, 2.5, 5.0)
"""Multiples of the budget that corrected losses are allowed, one after the other; then any loss is."""

_ROUNDING = 0.5
"""Parts of ``POINT`` by which a sum of floating-point numbers may be off."""


@dataclass(frozen=True)
class Settings:
    """How a loop goes on.

    Attributes
    ----------
    rounds
        Evaluations at most.
    monotone
        Whether a network is taken to lose no less at levels that are at least as sparse, and as lossy by the proxy, in
        every layer. Without, one evaluation says nothing of other levels.
    improve
        Whether to look for a faster design once one holds.
    reference
        Accuracy in percent against which losses count; ``None``: the callback returns losses in points.
    solve_s, evaluate_s
        Limits of the solving and of the evaluation of each round.
    seconds
        Of all rounds together, after which no further one begins; ``None``: no limit.
    folders, where, field
        See ``accmine.questions.sparse.truth.evaluation.evaluator``.
    """

    rounds: int = 12
    monotone: bool = True
    improve: bool = True
    reference: float | None = None
    solve_s: float = 30.0
    evaluate_s: float = 60.0
    seconds: float | None = None
    solver: str | None = None
    workers: int = 1
    seed: int = 0
    folders: tuple[str, ...] = ()
    where: str = ""
    field: str = ""


_DEFAULT = Settings()


@dataclass(frozen=True, slots=True)
class _Found:
    """A design, the losses that it was found with, and their limit."""

    losses: Problem
    solution: Solution
    limit: int | None


@dataclass
class _Loop:
    problem: Problem
    settings: Settings
    asked: Asked
    on_round: Callable[[Round], None]
    rounds: list[Round] = field(default_factory=list)
    known: dict[Levels, Measured] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)
    bound: int | None = None
    sure: int | None = None
    solves: int = 0
    until: float = 0.0

    def outcome(self, end: End) -> Outcome:
        return Outcome(self.problem, tuple(self.rounds), end, self.bound, self.settings.monotone, self.sure)

    def run(self) -> Outcome:
        clock = Clock.after(self.settings.seconds)
        end = self.ended(clock)
        self.until = min(time.monotonic() + self.settings.solve_s, clock.at)
        self.sure = self.without_assumption()
        return self.outcome(end)

    def ended(self, clock: Clock) -> End:
        """One round after the other."""
        while True:
            best = self.outcome(End.ROUNDS).best
            if best is not None and not self.settings.improve:
                return End.HELD
            begun, self.solves = time.monotonic(), 0
            self.until = min(begun + self.settings.solve_s, clock.at)
            if clock.over():
                return End.TIME
            found = self.next_design(None if best is None else best.interval)
            if isinstance(found, End):
                return found
            if len(self.rounds) == self.settings.rounds:
                return End.ROUNDS
            self.evaluate(found, time.monotonic() - begun)

    def without_assumption(self) -> int | None:
        """The bound where nothing is taken to lose too much but what was evaluated."""
        if not (self.settings.monotone and self.cuts):
            return self.bound
        lost = [cut_of(self.problem, levels, monotone=False) for levels in self.known if is_cut(levels, self.cuts)]
        found = self.sought(self.problem, None, cuts=lost).bound
        best = self.outcome(End.ROUNDS).best
        return found if found is None or best is None else min(found, best.interval)

    def sought(
        self, losses: Problem, limit: int | None, among: Cut | None = None, cuts: Sequence[Cut] | None = None
    ) -> Sought:
        """The fastest design within a limit of the losses, outside of cuts; default: those of the loop."""
        own = self.settings

        def ask(problem: Problem, seconds: float) -> Result[Solution]:
            self.solves += 1
            return solve(problem, own.solver, stop=Stop(seconds=seconds, workers=own.workers), seed=own.seed)

        limited = replace(losses, budget=replace(losses.budget, loss=limit))
        tabulate_from(limited, self.problem, [range(len(layer.levels)) for layer in self.problem.layers])
        left = max(0.0, self.until - time.monotonic())
        return fastest_outside(limited, self.cuts if cuts is None else cuts, ask, left, among)

    def next_design(self, most: int | None) -> _Found | End:
        """A design with an interval below ``most`` that is to be evaluated, or why there is none."""
        true = {levels: self.lost(own) for levels, own in self.known.items()}
        losses = corrected(self.problem, true, monotone=self.settings.monotone)
        free = self.sought(losses, None)
        if free.bound is not None:
            self.bound = max(self.bound or 0, free.bound)
        if free.complete and free.solution is None:
            self.bound = None if most is None else most
            return End.NOTHING if most is None else End.PROVED
        if most is not None and free.bound is not None and free.bound >= most:
            self.bound = most
            return End.PROVED
        budget = self.problem.budget.loss or 0
        last = 0 < len(self.rounds) == self.settings.rounds - 1
        if most is None and last and (safe := self.safe_design(losses)) is not None:
            return safe
        for wider in _WIDER:
            limit = int(budget * wider)
            found = self.sought(losses, limit)
            if found.solution is not None and (most is None or score(losses, found.solution) < most):
                return _Found(losses, found.solution, limit)
            if most is None and (safe := self.safe_design(losses)) is not None:
                return safe
        if free.solution is not None and (most is None or score(losses, free.solution) < most):
            return _Found(losses, free.solution, None)
        return End.TIME

    def safe_design(self, losses: Problem) -> _Found | None:
        """The fastest design with the least sparse levels, unless they are known to lose too much."""
        if is_cut(self.safest, self.cuts):
            return None
        found = self.sought(losses, None, tuple(frozenset([level]) for level in self.safest)).solution
        return None if found is None else _Found(losses, found, None)

    @cached_property
    def safest(self) -> Levels:
        """The densest level of each layer, of equally dense ones the least lossy."""
        return tuple(
            min(range(len(layer.levels)), key=lambda v: (-layer.levels[v].density, layer.levels[v].loss, v))
            for layer in self.problem.layers
        )

    def measured(self, names: Mapping[str, str]) -> Measured:
        """What the callback says; an accuracy is one."""
        own, found = self.settings, self.asked(names)
        if own.reference is not None and not 0 <= found.value <= 100:
            message = f"an accuracy of {found.value:g} % was returned; allowed: 0 to 100"
            raise EvaluationError("number", message, own.where, own.field)
        return found

    def lost(self, measured: Measured) -> float:
        """True loss in parts of ``POINT``."""
        reference = self.settings.reference
        return POINT * (measured.value if reference is None else reference - measured.value)

    def evaluate(self, found: _Found, solve_s: float) -> None:
        """Ask the network, note what it said, and cut what lost too much."""
        solution = polished(found.losses, found.solution)
        if is_cut(levels_of(solution), self.cuts) or levels_of(solution) in self.known:
            solution = found.solution
        levels, begun = levels_of(solution), time.monotonic()
        layers = self.problem.layers
        names = tuple(layer.levels[v].name for layer, v in zip(layers, levels, strict=True))
        if levels not in self.known:
            self.known[levels] = self.measured(dict(zip((layer.name for layer in layers), names, strict=True)))
        measured = self.known[levels]
        true = self.lost(measured)
        holds = true <= (self.problem.budget.loss or 0) + _ROUNDING
        if not holds:
            self.cuts.append(cut_of(self.problem, levels, monotone=self.settings.monotone))
        own = Round(
            number=len(self.rounds) + 1,
            levels=names,
            solution=solution,
            interval=score(self.problem, solution),
            proxy_loss=loss_of(self.problem, solution) / POINT,
            corrected_loss=loss_of(found.losses, solution) / POINT,
            allowed=None if found.limit is None else found.limit / POINT,
            true_loss=true / POINT,
            accuracy=None if self.settings.reference is None else measured.value,
            others=measured.others,
            holds=holds,
            solves=self.solves,
            solve_s=solve_s,
            evaluate_s=time.monotonic() - begun,
        )
        self.rounds.append(own)
        self.on_round(own)


def true_loss_loop(
    problem: Problem,
    evaluate: str | Callback,
    settings: Settings = _DEFAULT,
    *,
    on_round: Callable[[Round], None] = lambda _: None,
) -> Outcome:
    """Designs of a problem whose true loss is within its loss budget, the fastest that rounds are enough for.

    Ctrl-C ends it and keeps the rounds that are done (``End.INTERRUPTED``).

    Parameters
    ----------
    problem
        Its losses are a proxy; its loss budget is one of true losses.
    evaluate
        What tells the true loss or accuracy: ``module:function``, called in a worker process, or a function, called in
        this one.
    on_round
        Called after each round, so that it can be written down.

    Raises
    ------
    InputError
        If the problem has no loss budget, or settings are out of range.
    EvaluationError
        If the callback fails; the rounds before are its ``outcome``.
    """
    wrong = [] if problem.budget.loss is not None else [Complaint("", "budget.loss", "a limit is needed")]
    for key in ("rounds", "solve_s", "evaluate_s"):
        if not getattr(settings, key) > 0:
            wrong.append(Complaint("", key, f"{getattr(settings, key)} is not allowed; above 0"))
    if problem.least is not None:
        wrong.append(Complaint("", "least", f"{problem.least.of} is minimised; allowed: the interval"))
    if wrong:
        raise InputError(wrong)
    own = settings
    loop: _Loop | None = None
    try:
        with evaluator(
            evaluate, limit_s=own.evaluate_s, folders=own.folders, where=own.where, field=own.field
        ) as asked:
            loop = _Loop(problem, settings, asked, on_round)
            return loop.run()
    except KeyboardInterrupt:
        return loop.outcome(End.INTERRUPTED) if loop else Outcome(problem, (), End.INTERRUPTED, None, own.monotone)
    except EvaluationError as error:
        assert loop is not None
        error.outcome = loop.outcome(End.FAILED)
        raise
