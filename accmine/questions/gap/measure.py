"""Gap of a study: a heuristic alone, its refinement, the best known and the bound, each with its share of the budget.

What no option of the heuristic changes is computed once per study, seed and budget (``Ground``): graphs, costs, the
references, the bounds over the whole space and, where the study is one search for one design, the proof search. Every
row is a function of the study, its seed, its budget and the options alone: rows do not learn from each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Self, TypeVar

from accmine.errors import CheckError, InfeasibleError
from accmine.hardware.design import Design
from accmine.interrupts import heard
from accmine.plan.build import plan_of
from accmine.plan.plan import Group
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search.space_bound import promising
from accmine.questions.gap.answer import Answer, Member, Scheduler, answer_of, better_of, choose, own_bound, refine
from accmine.questions.gap.stages import stage_bounds
from accmine.registry import make_solver, solvers_of
from accmine.search.bounds import WholeBound, bound_whole, only_design
from accmine.search.candidates import GroupCandidates, confirm, mine, proposed, search_problem
from accmine.search.feasibility import require_feasible
from accmine.search.floor import FloorQuestion, nothing_fits
from accmine.search.mining import NOTHING
from accmine.search.proof import provable
from accmine.search.schedules import TaskSchedule
from accmine.study.study import Search, Study
from accmine.workers import workers

__all__ = ["PROVER", "First", "Ground", "Measured"]

PROVER = "best-first"
"""Solver of design searches that proves; it is used where it is registered."""

REFERENCE, BOUND, MINE, CONFIRM, SELECT, REFINE, PROVE = 0.05, 0.05, 0.2, 0.1, 0.02, 0.06, 0.35
"""Shares of the time budget of a row; what a step leaves is not handed on, so that rows stay comparable.

Where there is nothing to prove by a search, its share goes in three equal parts to the bound, to the heuristic, and to
the schedules of its candidates: a pipeline needs several times as much of each.
"""

PROMISING, PROVEN = 6, 3
"""Designs of least bound, or best designs of the prover, that are tried for the best known value."""

T = TypeVar("T")
Event = tuple[float, float | None, float | None]
_FLOAT = 1e-12  # more than the error of a product


@dataclass(frozen=True, eq=False)
class First:
    """What a heuristic proposes alone: a value, and the phase times and designs behind it."""

    value: float
    phase_s: tuple[tuple[tuple[float, ...], ...], ...]
    designs: Mapping[Member, Design]


@dataclass(frozen=True, eq=False)
class Measured:
    """What one heuristic gave.

    Attributes
    ----------
    first
        Its choice with list schedules; ``None`` if it has none that meets the limits.
    refined, best
        Its choice after refinement; the better of that and of what is known without it.
    whole, own
        The bound over the space, and the value that no schedules of the designs of ``best`` are below.
    finished
        Whether the heuristic came to its own end; ``None`` without one.
    first_s, seconds
        Wall-clock until ``first``, and of everything, what rows share included.
    trace
        (seconds, minimised value, bound) whenever one of them moved.
    """

    first: First | None
    refined: Answer | None
    best: Answer | None
    whole: WholeBound
    own: float | None
    finished: bool | None
    first_s: float
    seconds: float
    trace: tuple[Event, ...]


@dataclass
class _Clock:
    """Events since a moment."""

    began: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def tell(self, objective: float | None = None, bound: float | None = None) -> None:
        self.events.append((self.seconds, objective, bound))


class Ground:
    """Everything of a study that no option of the heuristic changes; a context manager that owns the workers.

    Attributes
    ----------
    plan
        With the references of the baseline.
    groups, problems, sketches
        Devices that share a design, and the search of each on its tasks and on their sketches.
    whole
        The bound over every feasible design.
    stages
        Bound of every stage alone, by (pipeline, stage).
    known
        The best verified choice that needs no heuristic: of the baseline, designs of least bound, the prover's.
    """

    def __init__(self, study: Study) -> None:
        budget = study.budget
        self.study, self.seed = study, budget.seed
        self.stop = Stop(
            seconds=None if budget.deterministic else budget.seconds,
            work=budget.work,
            workers=1 if budget.deterministic else budget.workers,
        )
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Compute what all rows share.

        Raises
        ------
        InputError
            If a file that the study names is wrong.
        InfeasibleError
            If no design meets the limits.
        """
        self._before = _Clock()
        with ExitStack() as opened, heard() as stop_if_asked:
            self.plan = plan_of(self.study)
            self.groups = self.plan.groups(self.study.mode)
            require_feasible(self.plan, self.groups)
            self.library = self.plan.library()
            pool = workers(self.stop.workers, [*self.plan.tasks, self.library])
            self.executor: Executor | None = opened.enter_context(pool)
            self._references()
            self.problems = [self._problem(group) for group in self.groups]
            self.sketches = [self._problem(group, sketch=True) for group in self.groups]
            self._bounds()
            stop_if_asked()
            self._before_s = self._before.seconds
            self._proof = _Clock()
            found = self._proof_search() if self._proves else []
            stop_if_asked()
            self._known(found)
            self._proof_s = self._proof.seconds
            self._open = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """End the workers."""
        return self._open.__exit__(*error)

    def part(self, share: float) -> Stop:
        """A share of the budget of a row."""
        return replace(self.stop, seconds=None if self.stop.seconds is None else self.stop.seconds * share)

    def _with_rest(self, share: float) -> float:
        """A share, with its part of the prover's where there is none."""
        return share if self._proves else share + PROVE / 3

    def _scheduler(self, share: float = REFINE) -> Scheduler:
        stops = self.part(share), self.part(SELECT)
        return Scheduler(self.plan, self.library, *stops, self.seed, self.executor)

    def _problem(self, group: Group, *, sketch: bool = False) -> design_search.Problem:
        return search_problem(self.plan, group, len(self.groups), self.library, sketch=sketch)

    def _references(self) -> None:
        """Schedule the baseline on every device: by its step times workloads are compared, and the floor is set."""
        plan = self.plan
        members = [(w, s) for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))]
        done = self._scheduler(REFERENCE).schedules([(m, plan.baseline) for m in members], self.study.search.refine)
        self.plan = plan.referred_to(
            [[done[(w, s), plan.baseline].phase_s for s in range(len(p.tasks))] for w, p in enumerate(plan.pipelines)]
        )

    def _bounds(self) -> None:
        """The bounds over the space: of the whole, then of every stage alone."""
        alone = [GroupCandidates(g, p, NOTHING, ()) for g, p in zip(self.groups, self.problems, strict=True)]
        solver, mode = self.study.search.select, self.study.mode
        stop = self.part(self._with_rest(BOUND))
        self.whole = bound_whole(self.plan, mode, alone, solver, stop, self.seed, self.executor)
        if self.whole.value == inf:
            raise self._nothing("proven by the bound of every design")
        self._before.tell(bound=self.whole.value)
        several = len(self.plan.tasks) > 1
        self.stages = stage_bounds(self.plan, self.groups, self.problems) if several else {}

    def _nothing(self, why: str) -> InfeasibleError:
        """The error of a study that is proven to have no answer."""
        alone = [GroupCandidates(g, p, NOTHING, ()) for g, p in zip(self.groups, self.problems, strict=True)]
        mode, stop = self.study.mode, self.part(self._with_rest(BOUND))
        return nothing_fits(FloorQuestion(self.plan, mode, alone, self.library, stop, self.seed, self.executor), why)

    def _known(self, proven: Sequence[Design]) -> None:
        """The best choice that needs no heuristic, of the baseline and of what the prover or the bounds suggest."""
        found, name = list(proven), PROVER
        if len(self.plan.tasks) > 1 and not found:
            everything = self.plan.groups("common")[0]
            search = search_problem(self.plan, everything, 1, self.library, sketch=True)
            found, name = promising(search, PROMISING), "designs of least bound"

        def named(designs: Sequence[Design]) -> str:
            return name if set(designs) & set(found) else "baseline"

        offers = [list(dict.fromkeys([self.plan.baseline, *found]))] * len(self.groups)
        _, self.known, _ = self._answer(offers, self._proof, named)

    def _proof_search(self) -> list[Design]:
        """Raise the bound of the whole by the proof search; returns its best designs."""

        def told(_: float, objective: float | None, bound: float | None) -> None:
            # Its values are of list schedules on the tasks themselves, but only verified answers are told.
            self._proof.tell(bound=None if bound is None else bound * scale)

        # The search's TDP is that of one chip, the study's that of all.
        scale = float(self.plan.devices) if self.study.objective == "throughput-per-tdp" else 1.0
        solver = make_solver(design_search.KIND, PROVER)
        hint = [self.plan.baseline]
        result = solver.solve(self.problems[0], stop=self.part(PROVE), seed=self.seed, hint=hint, on_progress=told)
        bound = -inf if result.bound is None else result.bound * scale * (1 if scale == 1 else 1 - _FLOAT)
        if bound == inf:
            raise self._nothing(f"proven by {result.bound_method}")
        if bound > self.whole.value:
            self.whole = replace(self.whole, value=bound, method=result.bound_method)
        ranked = [] if result.solution is None else [e.design for e in result.solution.ranked[:PROVEN]]
        return [design for design in ranked if design != self.plan.baseline]  # that one was known before

    @property
    def _proves(self) -> bool:
        return self.one_search and PROVER in solvers_of(design_search.KIND)

    @property
    def one_search(self) -> bool:
        """Whether the study is one design search of the same value: one design, no pipeline."""
        return provable(self.plan, self.study.mode)

    def _answer(
        self, offers: Sequence[Sequence[Design]], clock: _Clock, named: Callable[[Sequence[Design]], str]
    ) -> tuple[First | None, Answer | None, float]:
        """The choice among offered designs of every group with list schedules, then refined; seconds of the first."""
        groups = []
        known: dict[Any, tuple[int, ...]] = {}
        stop = self.part(self._with_rest(CONFIRM) / len(self.groups))
        for group, problem, designs in zip(self.groups, self.problems, offers, strict=True):
            evaluated = confirm(problem, designs, known, self.executor, stop) if designs else ()
            groups.append(GroupCandidates(group, problem, NOTHING, evaluated))
        chosen = choose(self._scheduler(), groups)
        seconds = clock.seconds
        if chosen is None:
            return None, None, seconds
        clock.tell(objective=chosen.value)
        pairs = zip(chosen.groups, chosen.chosen, strict=True)
        designs_of = {member: own.design for g, own in pairs for member in g.group.members}
        first = First(chosen.value, chosen.phase_s, designs_of)
        refined = refine(self._scheduler(), groups, chosen, named, lambda value: clock.tell(objective=value))
        return first, refined, seconds

    def measure(self, search: Search, method: str = "") -> Measured:
        """What the heuristic of ``search`` with its options gives; it sees nothing of what is known without it.

        ``method`` is another solver of design searches in its place, without options.
        """
        options = {} if method else search.options()
        method = method or search.method
        clock = _Clock()
        refined_by = "" if search.refine == "none" else f" and {search.refine}"
        with heard():
            stop = self.part(self._with_rest(MINE))
            mined = mine(self.sketches, method, options, stop, executor=self.executor, seed=self.seed)
            if any(own.interrupted for own in mined):
                raise KeyboardInterrupt
            offers = [
                spread(proposed(own, True, (), search.top_k))
                if problem.shares
                else proposed(own, False, (), search.top_k)
                for own, problem in zip(mined, self.problems, strict=True)
            ]
            first, refined, first_s = self._answer(offers, clock, lambda _: method + refined_by)
        return self._measured(first, refined, clock, all(own.finished for own in mined), first_s)

    def measure_designs(
        self, designs: Mapping[Member, Design], name: str, against: Answer | None = None, *, valid: bool
    ) -> Measured:
        """What given designs give, by (pipeline, stage).

        Parameters
        ----------
        against
            An answer of another measurement, to find the best one.
        valid
            Whether the designs are within all limits: others cannot be the best.
        """
        clock = _Clock()
        answers = []
        for effort in ("list", self.study.search.refine):
            with heard():
                done = self._scheduler(2 * REFINE).schedules(sorted(designs.items()), effort)
            final: dict[Member, TaskSchedule] = {member: schedule for (member, _), schedule in done.items()}
            answers.append(answer_of(self.plan, final, name))
            if valid:
                clock.tell(objective=answers[-1].value)
        listed, refined = answers[0], min(answers, key=lambda answer: answer.value)
        first = First(listed.value, listed.phase_s, designs)
        return self._measured(first, refined, clock, None, clock.seconds, against, valid=valid)

    def _measured(
        self,
        first: First | None,
        refined: Answer | None,
        clock: _Clock,
        finished: bool | None,
        first_s: float,
        against: Answer | None = None,
        *,
        valid: bool = True,
    ) -> Measured:
        best = better_of(refined if valid else None, self.known, against)
        own = None if best is None else own_bound(self.plan, best)
        whole = self.whole if own is None else only_design(self.whole, len(self.groups), own)
        for answer in (best, refined if valid else None):
            if answer is not None and whole.value > answer.value * (1 + 1e-9):
                raise CheckError(f"bound {whole.value} of the whole is above a verified value, {answer.value}")
        parts = (self._before.events, 0.0), (clock.events, self._before_s)
        proof = (self._proof.events, self._before_s + clock.seconds)
        seconds = self._before_s + clock.seconds + self._proof_s
        last = (seconds, None if best is None else best.value, whole.value)
        trace = _together((*parts, proof), last)
        return Measured(
            first=first,
            refined=refined,
            best=best,
            whole=whole,
            own=None if own is None else max(own, whole.value),
            finished=finished,
            first_s=self._before_s + first_s,
            seconds=seconds,
            trace=trace,
        )


def _together(parts: Sequence[tuple[Sequence[Event], float]], last: Event) -> tuple[Event, ...]:
    """One trace of the best value and bound so far, from events with the moment each list of them began."""
    rows: list[Event] = []
    best, proven = inf, -inf
    moments = [(start + s, objective, low) for events, start in parts for s, objective, low in events]
    for s, objective, low in [*moments, last]:
        # No bound on the way is taken for better than the one that is certified in the end.
        now = -inf if low is None else min(low, last[2] or -inf)
        better = min(best, inf if objective is None else objective), max(proven, now)
        if better != (best, proven):
            best, proven = better
            rows.append((s, None if best == inf else best, None if proven == -inf else proven))
    return tuple(rows)


def spread(designs: Sequence[T]) -> list[T]:
    """The last, the first, then the middle of every gap: whatever the time leaves of it covers the whole range."""
    found = [*designs[-1:], *designs[:1]]
    gaps = [(0, len(designs) - 1)]
    for low, high in gaps:  # grows on the way: the larger gaps first
        middle = (low + high) // 2
        if low < middle < high:
            found.append(designs[middle])
            gaps += [(low, middle), (middle, high)]
    return list(dict.fromkeys(found))
