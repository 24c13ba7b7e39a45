"""The strongest bound of an operator schedule that the time allows, from cheap to dear, until the gap is closed.

1. resource-aware heads and tails, and work between any two of them (``accmine.problems.operator_schedule.cone_bound``);
2. modules by themselves, with whole operations packed on cores (``module_bound``, ``packing_bound``); their lengths
   move every head and tail behind them;
3. work that waits for work of another kind (``progress_bound``);
4. modules by CP-SAT, those first where most is open, and 1 to 3 again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from accmine.ports import NEVER, Clock
from accmine.problems.operator_schedule import CONE_OPERATIONS, Problem, cone_bound, lower_bound
from accmine.problems.operator_schedule.cone_bound import Cones, cones, with_gaps

from ..engines.highs_engine import failures
from . import module_bound, progress_bound

__all__ = ["MODULES", "PROVED_MODULES", "Tight", "tighten"]

IntArray = npt.NDArray[np.int64]

MODULES = "modules of the graph by themselves"
PROVED_MODULES = "modules of the graph solved by CP-SAT"

_MODULE_WORK = 0.25
"""Deterministic time of CP-SAT for one module."""

_TOTAL_WORK = 2.0
"""Deterministic time of CP-SAT for all modules when the caller sets no limit."""

_SEARCHED = 64
"""Largest module that CP-SAT is asked about, apart from a whole problem: beyond, it does not improve on packing."""

_NEGLIGIBLE = 1e-5
"""Share of the makespan below which what is open of a module is left open."""


@dataclass(frozen=True, eq=False)
class Tight:
    """What is known of every schedule.

    Attributes
    ----------
    head, tail
        Earliest start of each operation, and least time between its end and the end of the schedule; shape
        (operations,).
    bound
        Valid lower bound of the makespan.
    method
        How ``bound`` was obtained, in words.
    without
        What failed on the way, without which ``bound`` had to do; empty if nothing did.
    """

    head: IntArray
    tail: IntArray
    bound: int
    method: str
    without: str = ""


class _State:
    """The best heads, tails and bound so far; what is known may only grow."""

    def __init__(self, problem: Problem, known: Cones, target: int) -> None:
        self.problem, self.target = problem, target
        self.head, self.tail, self.bound = known.head, known.tail, known.bound
        self.method = cone_bound.METHOD
        value, method = lower_bound(problem)
        if value >= self.bound:
            self.bound, self.method = value, method

    def note(self, bound: int, method: str) -> None:
        """Take over a bound if it is better."""
        if bound > self.bound:
            self.bound, self.method = bound, method

    def take(self, found: Cones, method: str) -> None:
        """Take over what is better in heads, tails and bound."""
        self.head, self.tail = np.maximum(self.head, found.head), np.maximum(self.tail, found.tail)
        self.note(found.bound, method)

    def done(self, clock: Clock) -> bool:
        """Whether the target is reached or the time is over."""
        return self.bound >= self.target or clock.over()

    def cones(self) -> Cones:
        """Heads, tails and bound so far."""
        return Cones(self.head, self.tail, self.bound)


def tighten(
    problem: Problem,
    known: Cones | None = None,
    *,
    upper: int,
    gap: float = 0.0,
    clock: Clock = NEVER,
    work: float | None = None,
    seed: int = 0,
    workers: int = 1,
) -> Tight:
    """Heads, tails and a bound at least as strong as ``known``; about 2 s for 20,000 operations of a training graph.

    Parameters
    ----------
    known
        Heads, tails and bound at hand; default: those of ``cones``.
    upper
        Makespan of a schedule that is known. Only used to stop: the bound holds whatever it is.
    gap
        Ends once bound ≥ upper · (1 - gap).
    clock
        When it ends; with one worker and without a limit in time the result is repeatable.
    work
        Deterministic time CP-SAT may use for modules; default 2.
    seed, workers
        Of CP-SAT.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """
    state = _State(problem, cones(problem) if known is None else known, max(0, ceil(upper * (1.0 - gap))))
    with failures() as failed:
        if len(problem) and len(problem) <= CONE_OPERATIONS:
            _modules(state, clock, _TOTAL_WORK if work is None else work, seed, workers)
    without = f"without programs that HiGHS failed on: {len(failed)}" if failed else ""
    return Tight(state.head, state.tail, state.bound, state.method, without)


def _modules(state: _State, clock: Clock, work: float, seed: int, workers: int) -> None:
    problem = state.problem
    if state.done(clock):
        return
    modules = module_bound.find(problem)
    for module in modules:
        if clock.over():
            break
        module_bound.bounded(module, clock)
    if not clock.over() and modules:
        state.take(with_gaps(problem, module_bound.gaps_of(modules)), MODULES)
    if not state.done(clock):
        found = progress_bound.progress_bound(problem, state.cones(), target=state.target, clock=clock)
        state.note(found, progress_bound.METHOD)
    if not state.done(clock) and _prove(state, modules, clock, work, seed, workers):
        state.take(with_gaps(problem, module_bound.gaps_of(modules)), PROVED_MODULES)
        if not state.done(clock):
            found = progress_bound.progress_bound(problem, state.cones(), target=state.target, clock=clock)
            state.note(found, progress_bound.METHOD)


def _prove(
    state: _State, modules: list[module_bound.Module], clock: Clock, work: float, seed: int, workers: int
) -> bool:
    """Let CP-SAT bound the modules where most is open; whether any bound has moved."""
    moved = False
    least = _NEGLIGIBLE * state.bound
    for module in sorted(modules, key=lambda m: -m.open):
        if module.open <= least or work <= 0 or clock.over():
            break
        if _SEARCHED < len(module.problem) < len(state.problem):
            continue
        before = module.bound
        seconds = clock.left()
        work -= module_bound.prove(module, work=min(work, _MODULE_WORK), seconds=seconds, seed=seed, workers=workers)
        moved |= module.bound > before
    return moved
