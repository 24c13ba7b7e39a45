"""Gap of a study: a heuristic alone, its refinement, the best known and the bound, each with its share of the budget.

The steps are those of a run (``accmine.search``). What no option of the heuristic changes is computed once per study,
seed and budget (``Ground``): graphs, costs, the references, the bounds over the whole space and, where the study is one
search for one design, the proof search. Every row is a function of the study, its seed, its budget and the options
alone: rows do not learn from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Self, TypeVar

from accmine.errors import CheckError, InfeasibleError
from accmine.hardware import Design
from accmine.interrupts import heard
from accmine.plan import Group, Plan, plan_of
from accmine.ports import Stop
from accmine.problems.design_search.space_bound import promising
from accmine.problems.limits import within
from accmine.questions.gap.stages import stage_bounds
from accmine.search import (
    ANSWER,
    GAP,
    GAP_STAGES,
    NOTHING,
    PROVER,
    Answer,
    Budget,
    Event,
    FloorQuestion,
    GroupCandidates,
    Member,
    PhaseSeconds,
    Proof,
    Selection,
    Session,
    WholeBound,
    answer_of,
    bound_whole,
    choose,
    confirm,
    is_search,
    joined,
    mine,
    nothing_fits,
    only_design,
    opened,
    own_bound,
    problems_of,
    proposed,
    provable,
    prove,
    references,
    require_feasible,
    schedule_tasks,
    without_candidates,
)
from accmine.search.candidates import PROMISING
from accmine.search.refine import refine
from accmine.study import Search, Study

__all__ = ["First", "Ground", "Measured", "better_of"]

PROVEN = 3
"""Best designs of the prover that are tried for the best known value."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class First:
    """What a heuristic proposes alone: a value, and the phase times and designs behind it."""

    value: float
    phase_s: PhaseSeconds
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


class Ground:
    """Everything of a study that no option of the heuristic changes; a context manager that owns the workers.

    Attributes
    ----------
    session
        Of what all rows share, its plan with the references of the baseline.
    groups, problems
        Devices that share a design, and the search of each on its tasks.
    whole
        The bound over every feasible design.
    stages
        Bound of every stage alone, by (pipeline, stage).
    known
        The best verified choice that needs no heuristic: of the baseline, designs of least bound, the prover's.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
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
        with ExitStack() as stack, heard() as stop_if_asked:
            plan = plan_of(self.study)
            self.mode = self.study.mode
            self._table = GAP if is_search(plan, self.mode) else GAP_STAGES
            require_feasible(plan, plan.groups(self.mode))
            self.session = session = stack.enter_context(opened(plan, self._budget()))
            with session.step("baseline"):
                references(session)
            self.problems = problems_of(session, self.mode)
            with session.step("bound"):
                self._bounds()
            stop_if_asked()
            self.before_s = session.budget.seconds
            self._known_trace: list[Event] = []
            proof = None
            if provable(session, self.mode):
                with session.step("prove"):
                    proof = self._proof_search()
            stop_if_asked()
            with session.step("known"):
                self._known(proof)
            self.known_s = session.budget.seconds - self.before_s
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """End the workers."""
        return self._open.__exit__(*error)

    def _budget(self) -> Budget:
        """That of a row, from now on."""
        return Budget.of(self.study.budget, self._table)

    @property
    def plan(self) -> Plan:
        """Of the session."""
        return self.session.plan

    @property
    def groups(self) -> tuple[Group, ...]:
        """Devices that share a design."""
        return self.plan.groups(self.mode)

    def _bounds(self) -> None:
        """The bounds over the space: of the whole, then of every stage alone."""
        session = self.session
        self.whole = bound_whole(session, self.mode, without_candidates(session, self.mode))
        if self.whole.value == inf:
            raise self._nothing("proven by the bound of every design")
        session.progress(None, self.whole.value)
        several = len(self.plan.tasks) > 1
        self.stages = stage_bounds(self.plan, self.groups, self.problems) if several else {}

    def _nothing(self, why: str) -> InfeasibleError:
        """The error of a study that is proven to have no answer."""
        alone = without_candidates(self.session, self.mode)
        return nothing_fits(FloorQuestion(self.session, self.mode, alone), why)

    def _proof_search(self) -> Proof:
        """Raise the bound of the whole by the proof search."""
        proof = prove(self.session, self.problems[0], self.whole, [self.plan.baseline])
        if proof.whole.value == inf:
            raise self._nothing(f"proven by {proof.whole.method}")
        if proof.mined.interrupted:
            raise KeyboardInterrupt
        self.whole = proof.whole
        return proof

    def _known(self, proof: Proof | None) -> None:
        """The best choice that needs no heuristic, of the baseline and of what the prover or the bounds suggest."""
        baseline, name, found = self.plan.baseline, PROVER, []
        if proof is not None:
            found = [e.design for e in proof.mined.pool[:PROVEN] if e.design != baseline]
        elif len(self.plan.tasks) > 1:
            (search,) = problems_of(self.session, "common", sketch=True)
            found, name = promising(search, PROMISING, self.session.part(0.3).clock()), "designs of least bound"

        def named(designs: Sequence[Design]) -> str:
            return name if set(designs) & set(found) else "baseline"

        session = self.session.inner(ANSWER)
        offers = [list(dict.fromkeys([baseline, *found]))] * len(self.groups)
        _, self.known = self._answer(session, offers, named, proof)
        self._known_trace = session.trace

    def _answer(
        self,
        session: Session,
        offers: Sequence[Sequence[Design]],
        named: Callable[[Sequence[Design]], str],
        proof: Proof | None = None,
    ) -> tuple[First | None, Answer | None]:
        """The choice among offered designs of every group with list schedules, then refined."""
        groups = []
        with session.step("confirm"):
            for i, (group, problem, designs) in enumerate(zip(self.groups, self.problems, offers, strict=True)):
                stop = session.part(1 / (len(offers) - i))
                groups.append(GroupCandidates(group, problem, NOTHING, confirm(session, problem, designs, stop)))
            if proof is not None:
                groups = [joined(session, g, proof) for g in groups]
        with session.step("select"):
            chosen = self._choose(session, groups)
        if chosen is None:
            return None, None
        session.progress(chosen.value, None)
        pairs = zip(chosen.groups, chosen.chosen, strict=True)
        designs_of = {member: own.design for g, own in pairs for member in g.group.members}
        best: Answer | None = None
        with session.step("refine"):
            for answer in refine(session, chosen):
                best = better_of(best, replace(answer, found_by=named(answer.designs())))
                session.progress(best.value if best else None, None)
        return First(chosen.value, chosen.phase_s, designs_of), best

    def _choose(self, session: Session, groups: Sequence[GroupCandidates]) -> Selection | None:
        """``None`` where a group has no candidate or no choice meets the limits."""
        if not all(g.candidates for g in groups):
            return None
        found = choose(session, self.mode, groups, session.part())
        if session.interrupted:  # half an answer is no measurement
            raise KeyboardInterrupt
        return found if found.chosen and found.value < inf else None

    def measure(self, search: Search, method: str = "") -> Measured:
        """What the heuristic of ``search`` with its options gives; it sees nothing of what is known without it.

        ``method`` is another solver of design searches in its place, without options.
        """
        options = {} if method else search.options()
        method = method or search.method
        refined_by = "" if search.refine == "none" else f" and {search.refine}"
        session = self.session.fresh(self._budget())
        with heard():
            with session.step("propose"):
                sketches = problems_of(session, self.mode, sketch=True)
                mined = mine(session, sketches, session.part(), method=method, options=options)
            if any(own.interrupted for own in mined):
                raise KeyboardInterrupt
            offers = [
                spread(proposed(own, True, (), search.top_k))
                if problem.shares
                else proposed(own, False, (), search.top_k)
                for own, problem in zip(mined, self.problems, strict=True)
            ]
            first, refined = self._answer(session, offers, lambda _: method + refined_by)
        finished = all(own.finished for own in mined)
        return self._measured(first, refined, session, finished)

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
        session = self.session.fresh(self._budget())
        members = sorted(designs)
        jobs = [(self.plan.pipelines[w].tasks[s], session.library, designs[w, s]) for w, s in members]
        answers = []
        with session.step("refine"):
            for effort, stop in (("list", Stop()), (self.study.search.refine, session.part())):
                with heard():
                    done = schedule_tasks(session, jobs, effort, stop)
                answers.append(answer_of(self.plan, dict(zip(members, done, strict=True)), name))
                if valid:
                    session.progress(answers[-1].value, None)
        listed, refined = answers[0], min(answers, key=lambda answer: answer.value)
        first = First(listed.value, listed.phase_s, designs)
        return self._measured(first, refined, session, None, against, valid=valid)

    def _measured(
        self,
        first: First | None,
        refined: Answer | None,
        session: Session,
        finished: bool | None,
        against: Answer | None = None,
        *,
        valid: bool = True,
    ) -> Measured:
        best = better_of(refined if valid else None, self.known, against)
        own = None if best is None else own_bound(self.plan, best)
        whole = self.whole if own is None else only_design(self.whole, len(self.groups), own)
        own = None if own is None else max(own, whole.value)  # the bound of the whole holds for these designs too
        for answer in (best, refined if valid else None):
            if answer is not None and not within(whole.value, answer.value):
                raise CheckError(f"bound {whole.value} of the whole is above a verified value, {answer.value}")
        parts = (self.session.trace, 0.0), (session.trace, self.before_s)
        own_s = session.budget.seconds
        known = (self._known_trace, self.before_s + own_s)
        seconds = self.before_s + own_s + self.known_s
        last = (seconds, None if best is None else best.value, whole.value)
        refining = session.seconds.get("refine", 0.0)
        return Measured(
            first=first,
            refined=refined,
            best=best,
            whole=whole,
            own=None if own is None else max(own, whole.value),
            finished=finished,
            first_s=self.before_s + own_s - (refining if finished is not None else 0.0),
            seconds=seconds,
            trace=_together((*parts, known), last),
        )


def better_of(*answers: Answer | None) -> Answer | None:
    """The least value; of equals the first."""
    known = [answer for answer in answers if answer is not None and answer.value < inf]
    return min(known, key=lambda answer: answer.value, default=None)


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
