"""The flow of a run: what is computed after what, and what an interrupt leaves.

plan → schedule the baseline → propose and confirm candidates → select → refine what was selected and select again →
bound over the whole space → prove → compare and explain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

from accmine.errors import CheckError, InfeasibleError, NothingFoundError
from accmine.hardware import Design
from accmine.interrupts import held
from accmine.plan import Plan
from accmine.ports import Incumbent, Stop
from accmine.problems.design_search import Evaluation, fits, ranked
from accmine.problems.limits import within
from accmine.questions.run.baselines import baseline_rows, binding_limits, change_rows, variant_sentence
from accmine.questions.run.contention import contentions
from accmine.questions.run.pictures.collect import roofs
from accmine.questions.run.record import Outcome
from accmine.questions.run.summary import Findings, summarize, trace_lanes
from accmine.report import Watch
from accmine.search import (
    RUN,
    Answer,
    Budget,
    FloorQuestion,
    GroupCandidates,
    Mined,
    Proof,
    Selection,
    Session,
    Store,
    WholeBound,
    bound_from_json,
    bound_whole,
    choose,
    confirmed,
    joined,
    keep_answer,
    metric,
    not_worse,
    nothing_fits,
    only_design,
    opened,
    own_bound,
    problems_of,
    promising_designs,
    propose,
    provable,
    proved,
    reference_key,
    references,
    require_feasible,
    restore,
    stronger,
    verified,
    without_candidates,
)
from accmine.search.refine import refine, with_schedules

__all__ = ["find", "find_in", "solve_study", "steps_of"]

MODES = ("common", "homogeneous", "heterogeneous")

REFINED = 3
"""Candidates that the proof search begins with, beside those that are chosen."""

UNCUT, TOLERATED = 8, 1.2
"""What cannot be cut after the baseline, in list schedules of all tasks, and how far above the budget it is said."""

KNOWN = 5
"""Designs for all stages with which the search for each stage begins."""


def solve_study(plan: Plan, store: Store, on_progress: Incumbent, **more: Any) -> tuple[Outcome, list[Any]]:
    """Everything between the plan and the files: the outcome and the lanes of its schedule trace; see ``find``."""
    findings = find(plan, store, on_progress, **more)
    with held():  # everything is known: a Ctrl-C here has nothing to end
        return summarize(findings), trace_lanes(findings)


def find(
    plan: Plan,
    store: Store,
    on_progress: Incumbent,
    *,
    first: Sequence[Design] = (),
    compare: bool = True,
    began: float | None = None,
    watch: Watch | None = None,
    **shared: Any,
) -> Findings:
    """What the steps of a run find.

    Ctrl-C ends what is being searched or refined; what is verified by then is reported with stop ``interrupted``.
    A second one ends the run.

    Parameters
    ----------
    plan
        With references, its baseline is not scheduled again: values of several plans can be compared.
    store
        Where finished parts are kept and read from.
    first
        Designs that are candidates beside the baseline and what the search proposes.
    compare
        Whether to compare the answer with baselines, other modes and another technology.
    began
        Value of ``time.monotonic()`` from which the budget counts; default: now.
    watch
        Told each step as it begins, the unit of the study once it is known, and sentences for the user.
    shared
        What other runs of the same tasks have: ``library``, ``cycles`` and ``answers`` of a session.
    """
    budget = Budget.of(plan.study.budget, RUN, steps=steps_of(plan, compare), began=began)
    more: dict[str, Any] = {"store": store, "first": tuple(first), "on_progress": on_progress, **shared}
    with opened(plan, budget, watch=watch or Watch(), limits=plan.study.budget, **more) as session:
        return find_in(session, compare=compare)


def find_in(session: Session, *, compare: bool) -> Findings:
    """As ``find``, in a session whose budget has begun."""
    try:
        return _solve_in(session, compare)
    except KeyboardInterrupt:
        if session.interrupted or not session.plan.reference_s:
            raise  # the second one, or before anything is verified
        session.interrupt()
        session.budget.end()
    return _solve_in(session, compare)  # it came between two searches: with what is there


def steps_of(plan: Plan, compare: bool) -> list[str]:
    """The steps of a run in their order: one design is bounded first, several need the integer program for it."""
    one = len(plan.groups(plan.study.mode)) == 1
    steps = [*([] if plan.reference_s else ["baseline"]), *(["bound"] if one else [])]
    steps += ["propose", "confirm", "select", "refine", "prove" if one else "bound"]
    return [*steps, *(["compare"] if compare else [])]


@dataclass
class _Found:
    """What is known at a moment: the first choice, the answer, and the bound (``None``: not yet)."""

    groups: Mapping[str, list[GroupCandidates]]
    first: Selection
    answer: Answer
    whole: WholeBound | None
    searched: tuple[Evaluation, ...] = ()


def _solve_in(session: Session, compare: bool) -> Findings:
    mode = session.plan.study.mode
    require_feasible(session.plan, session.plan.groups(mode))
    if not session.plan.reference_s:
        with session.step("baseline"):
            references(session)
        _announce(session)
    restore(session)
    own = metric(session.plan)  # relative to the baseline: known from here on
    session.watch.unit(own.unit, own.shown)
    found = _search(session, mode)
    answer, whole = found.answer, found.whole
    if whole is None:
        assert answer.selection is not None
        with session.step("bound"):
            whole = _bound(session, mode, answer.selection.groups)
    own_value = own_bound(session.plan, answer)
    whole = only_design(whole, len(session.plan.groups(mode)), own_value)
    if not within(whole.value, answer.value):
        raise CheckError(f"bound {whole.value} of the whole is above a verified value, {answer.value}")
    whole = replace(whole, value=min(whole.value, answer.value))  # equal times, added in another order
    session.progress(answer.value, whole.value)
    findings = _findings(session, found, whole, max(own_value, whole.value))  # the whole's holds for these designs too
    if compare and not session.interrupted:
        with session.step("compare"), session.interruptible():
            for compared in _compared(session, found, findings):
                findings = compared
    return replace(findings, interrupted=session.interrupted, seconds=session.seconds, trace=tuple(session.trace))


def _announce(session: Session) -> None:
    """Say so where the parts that cannot be cut take longer than the budget."""
    least = session.budget.seconds + UNCUT * session.list_s
    limit = session.budget.total.seconds
    if limit is not None and least > TOLERATED * limit:
        session.watch.say(f"needs about {least:.0f} s at least: graphs, one schedule of each task, bounds and files")


def _search(session: Session, mode: str) -> _Found:
    """The flow up to the answer; Ctrl-C ends what is being done, and what follows is short."""
    whole: WholeBound | None = None
    if len(session.plan.groups(mode)) == 1:
        # One design: the scan needs no candidates, so there is a gap to look at from the first incumbent on.
        alone = without_candidates(session, mode)
        with session.step("bound"):
            whole = _bound(session, mode, alone)
            if whole.value == inf:
                raise _nothing(session, mode, alone, "proven by the bound of every design", whole)
        session.progress(None, whole.value)
    groups = _candidates(session, None if whole is None else whole.near)
    with session.step("select"):
        first = _select(session, mode, groups[mode])
        session.progress(first.value, None)
    answer: Answer | None = None
    searched: tuple[Evaluation, ...] = ()
    if not session.interrupted:
        with session.step("refine"), session.interruptible():
            for answer in refine(session, first):
                keep_answer(session, answer)
                session.progress(answer.value, None)
    if answer is None:
        answer = verified(session, first)
    if whole is not None and not session.interrupted and provable(session, mode):
        with session.step("prove"), session.interruptible():
            proof = _proof(session, answer, whole)
            searched = tuple(proof.mined.pool)
            whole = proof.whole  # it holds, whatever interrupts what follows
            answer = _with_proof(session, answer, proof)
    answer = not_worse(session, answer)
    keep_answer(session, answer, last=True)
    return _Found(groups, first, answer, whole, searched)


def _modes(plan: Plan) -> tuple[str, ...]:
    """The modes that are selected: of a pipeline all three, side by side, when the study asks for the richest."""
    deep = any(len(pipeline.tasks) > 1 for pipeline in plan.pipelines)
    if not deep or plan.study.mode != "heterogeneous":
        return (plan.study.mode,)
    return MODES if len(plan.pipelines) > 1 else ("common", "heterogeneous")


def _candidates(session: Session, near: Design | None) -> dict[str, list[GroupCandidates]]:
    """Candidates of every mode that is selected; ``near`` is one where no design that is known meets the limits."""
    modes, begin = _modes(session.plan), [session.plan.baseline, *session.first]
    if near is not None and not any(fits(problems_of(session, modes[0])[0], design) for design in begin):
        begin.append(near)
    mined: dict[str, list[Mined]] = {}
    top_k, firsts = session.plan.study.search.top_k, {}
    with session.step("propose"):
        begin += promising_designs(session)
        for number, mode in enumerate(modes):
            # What serves all stages well is where the search for each stage begins.
            known = [e.design for own in mined.get("common", ()) for e in ranked(own.pool, top_k)[:KNOWN]]
            firsts[mode] = list(dict.fromkeys([*begin, *known]))
            mined[mode] = propose(session, mode, firsts[mode], session.part(1 / (len(modes) - number)))
    found: dict[str, list[GroupCandidates]] = {}
    with session.step("confirm"):
        # The mode of the study comes first: the others are only compared.
        order = sorted(modes, key=lambda mode: mode != session.plan.study.mode)
        for number, mode in enumerate(order):
            if found and session.budget.over:
                break
            found[mode] = confirmed(session, mode, mined[mode], firsts[mode], 1 / (len(modes) - number))
    return found


def _select(session: Session, mode: str, groups: Sequence[GroupCandidates]) -> Selection:
    empty = [g.group.name for g in groups if not g.candidates]
    if empty:
        raise _nothing(session, mode, groups, f"no design found for {', '.join(empty)}")
    chosen = choose(session, mode, groups, session.part())
    if not chosen.chosen:
        remedy = "; ".join(chosen.result.remedy)
        why = f"no choice among the candidates meets all limits ({remedy})" if remedy else "no choice was found in time"
        raise _nothing(session, mode, groups, why)
    return chosen


def _bound(session: Session, mode: str, groups: Sequence[GroupCandidates]) -> WholeBound:
    """The bound of the whole, never weaker than what is kept; after Ctrl-C the one that takes no search."""
    key = f"bound-{mode}-{reference_key(session.plan)}"
    known = session.known(key, bound_from_json)
    if known is not None and known.final:
        return known.value
    session.begin(key)
    try:
        whole = bound_whole(session, mode, groups)
    except KeyboardInterrupt:
        if session.interrupted:
            raise
        session.interrupt()
        session.budget.end()
        whole = bound_whole(session, mode, groups)
    if known is not None:
        whole = stronger(whole, known.value)
    if whole.value < inf:
        session.keep(key, asdict(whole))
    return whole


def _nothing(
    session: Session, mode: str, groups: Sequence[GroupCandidates], why: str, whole: WholeBound | None = None
) -> InfeasibleError | NothingFoundError:
    """Whether it is proven that there is nothing, or only nothing was found."""
    whole = whole or bound_whole(session, mode, groups)
    if whole.value < inf:
        message = f"{why}; proven is only that the value is at least {whole.value:.6g}; a longer budget may help"
        return NothingFoundError(message, whole.value)
    return nothing_fits(FloorQuestion(session, mode, groups), why)


def _proof(session: Session, answer: Answer, whole: WholeBound) -> Proof:
    """Search every design with a proof, those that are known to be good first."""
    assert answer.selection is not None
    selection, (g,) = answer.selection, answer.selection.groups
    first = [*(e.design for e in selection.chosen), *(e.design for e in g.candidates[:REFINED])]
    proof = proved(session, g.problem, whole, first)
    if proof.mined.interrupted:
        session.interrupt()
    return proof


def _with_proof(session: Session, answer: Answer, proof: Proof) -> Answer:
    """The answer once what the proof search found has joined the candidates, with its schedules."""
    assert answer.selection is not None
    selection, (g,) = answer.selection, answer.selection.groups
    more = joined(session, g, proof)
    if len(more.candidates) > len(g.candidates) or more.candidates[0].value < g.candidates[0].value:
        chosen = choose(session, selection.mode, [more], session.part())
        if chosen.chosen:
            answer = verified(session, chosen)
            keep_answer(session, answer)
            session.progress(answer.value, None)
    return answer


def _findings(session: Session, found: _Found, whole: WholeBound, own: float) -> Findings:
    """What a run found before anything is compared."""
    assert found.answer.selection is not None
    return Findings(
        plan=session.plan,
        first=found.first,
        chosen=found.answer.selection,
        modes={session.plan.study.mode: found.answer.selection},
        final=found.answer.final,
        whole=whole,
        own_bound=own,
        baselines=(),
        changes=(),
        variant="not looked at" + (": the run was interrupted" if session.interrupted else ""),
        interrupted=session.interrupted,
        seconds=session.seconds,
        trace=(),
        searched=found.searched,
        roofs=roofs(found.answer.final, session.library),
    )


def _compared(session: Session, found: _Found, findings: Findings) -> Iterator[Findings]:
    """The findings with one comparison after the other; those that the time is too short for are named."""
    plan, chosen, final = session.plan, findings.chosen, findings.final
    designs = [final[w, s].design for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))]
    # With what each takes at least, as measured, in first list schedules of all tasks (which build the costs as well).
    parts: dict[str, tuple[float, Callable[[Stop], dict[str, Any]]]] = {
        "other modes": (0, lambda stop: {"modes": _other_modes(session, found.groups, chosen, stop)}),
        "limits that bind": (0, lambda stop: {"binding": binding_limits(session, chosen, stop)}),
        "another technology": (0, lambda stop: {"variant": variant_sentence(session, chosen, stop)}),
        "baselines": (
            0.5 * len(plan.study.baselines) + 0.25,
            lambda stop: {"baselines": baseline_rows(session, chosen, designs, stop)},
        ),
        "changes from the baseline": (3, lambda _: {"changes": change_rows(session, chosen.step_s, designs)}),
        "the cost of sharing the HBM": (0.5, lambda _: {"contention": contentions(session, final)}),
    }
    skipped = list(parts)
    for number, (name, (schedules, part)) in enumerate(parts.items()):
        if session.budget.left >= schedules * session.list_s and not session.budget.late:
            findings = replace(findings, **part(session.part(1 / (len(parts) - number))))
            skipped.remove(name)
            yield replace(findings, skipped=tuple(skipped))
    yield replace(findings, skipped=tuple(skipped))


def _other_modes(
    session: Session, groups: Mapping[str, list[GroupCandidates]], chosen: Selection, stop: Stop
) -> dict[str, Selection]:
    """The choice of every mode, that of the study among them."""
    modes = {chosen.mode: chosen}
    for mode, candidates in groups.items():
        known = [with_schedules(session, g) for g in candidates]
        if mode != chosen.mode and all(g.candidates for g in known):
            other = choose(session, mode, known, stop)
            if other.chosen:  # another mode that nothing fits is left out
                modes[mode] = other
    if "common" in modes and len(session.plan.pipelines) == 1 and chosen.mode == "heterogeneous":
        # One design for the stages of one pipeline is one design for all devices.
        modes["homogeneous"] = modes["common"]
    return {mode: modes[mode] for mode in MODES if mode in modes}
