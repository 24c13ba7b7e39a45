"""Sensitivity: what a little more of a limit, of bandwidth or of SRAM buys, and what is proven about it.

Each change is solved as a study of its own that begins from the answer of the unchanged one, against the same
references, so that values can be compared. With the unchanged value v and its bound b, and v' and b' of the changed
study, the optima lie in [b, v] and [b', v'] (values are minimised), so the improvement of the optimum, as a ratio of
throughputs minus one, lies in [b / v' - 1, v / b' - 1]. Where more of a limit only adds designs, the optimum cannot
get worse: v counts as found for the changed study, b' as a bound of the unchanged one, and the interval starts at 0.
Where all devices share a design, the bound a of the added designs alone says more: the optimum improves by at most
v / a - 1, and not at all if a is no better than v.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import Any

from accmine.cost import CostLibrary
from accmine.errors import InfeasibleError, NothingFoundError
from accmine.files import load_yaml
from accmine.hardware import Design, DesignSpace, template_of
from accmine.plan import Plan
from accmine.questions.run.flow import find
from accmine.questions.run.record import Outcome
from accmine.questions.run.summary import summarize
from accmine.questions.sensitivity.added import NOISE, bound_of_added, first_designs, next_size
from accmine.questions.sensitivity.changes import Change, changes_of, left_out
from accmine.report import to_json
from accmine.search import RUN, Budget, Kept, Metric, Session, metric, references

__all__ = ["Row", "Sensitivity", "gain_interval", "sensitivity"]

CHANGED_SHARE = 0.5
"""Wall-clock of a changed study relative to that of the unchanged one, where only the study's budget is given."""


@dataclass(frozen=True)
class Row:
    """What a change buys.

    Attributes
    ----------
    objective
        Best verified value with the change, in the unit of the metric; ``None``: none is known.
    bound
        Proven limit of it.
    difference
        Verified objective with the change minus that without.
    gain
        The same as a relative improvement of the metric: 0.01 is 1 % better, negative is worse.
    least, most
        What is proven about the relative improvement of the optimum; ``None``: nothing.
    designs
        Of the best verified answer.
    verdict
        The row in words.
    next_size
        The next size of a limit at which a better design is known; empty: not looked for, or none found.
    """

    key: str
    before: str
    after: str
    objective: float | None
    bound: float | None
    difference: float | None
    gain: float | None
    least: float | None
    most: float | None
    designs: tuple[str, ...]
    verdict: str
    next_size: str = ""


@dataclass(frozen=True)
class Sensitivity:
    """The answer of a study, and what changes of it buy.

    Attributes
    ----------
    left_out
        Key -> why it was not changed.
    """

    study: str
    percent: float
    metric: str
    unit: str
    sense: str
    objective: float
    bound: float
    designs: tuple[str, ...]
    rows: tuple[Row, ...]
    interrupted: bool = False
    left_out: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is not finite becomes ``None``."""
        return to_json(self)


def gain_interval(v: float, b: float, changed_v: float, changed_b: float, *, adds: bool) -> tuple[float, float]:
    """What is proven about opt / opt' - 1, the relative improvement of the optimum; values are minimised.

    Parameters
    ----------
    v, b
        Verified value and bound without the change; ``changed_v`` and ``changed_b`` with it (``inf``: no value).
    adds
        Whether the change only adds designs.
    """
    if adds:
        changed_v, b = min(changed_v, v), max(b, min(changed_b, v))
    least = b / changed_v - 1 if changed_v > 0 else -1.0
    most = v / changed_b - 1 if changed_b > 0 else inf
    return (max(0.0, least) if adds else least), (max(0.0, most) if adds else most)


@dataclass(frozen=True)
class _Answer:
    """A solved study: value and bound as they are minimised, how they are shown, the outcome, what it chose among."""

    value: float
    bound: float
    metric: Metric
    outcome: Outcome
    candidates: tuple[Design, ...] = ()

    @property
    def known(self) -> list[Design]:
        """Designs that a change begins from: a search of its own, with less time, may miss them."""
        return list(dict.fromkeys([*_designs(self.outcome), *self.candidates]))

    @property
    def designs(self) -> tuple[str, ...]:
        """Names, in the order of the outcome."""
        return tuple(design.name for design in self.outcome.designs)


def sensitivity(
    plan: Plan,
    percent: float = 1.0,
    seconds: float | None = None,
    on_row: Callable[[Row], None] = lambda _: None,
) -> Sensitivity:
    """Solve a study and its changes.

    Parameters
    ----------
    plan
        Of the study.
    percent
        By how much each thing grows; above 0.
    seconds
        Wall-clock for everything, in equal parts; default: the study's budget for the unchanged study, and half of
        it for each change. With a deterministic budget the clock is ignored.
    on_row
        Told each row when it is there.

    Raises
    ------
    InfeasibleError, NothingFoundError
        If the unchanged study has no answer.
    """
    solved = sum(not change.nothing for change in changes_of(plan, percent))
    own = plan.study.budget.seconds
    parts = (own, None if own is None else own * CHANGED_SHARE)
    if seconds is not None:
        parts = (seconds / (1 + solved),) * 2
    library = plan.library()
    plan = _with_references(plan, library, parts[0])
    changes = list(changes_of(plan, percent))
    base = _solve(plan, first_designs(plan, library), parts[0])
    rows: list[Row] = []
    interrupted = base.outcome.stop == "interrupted"
    designs = base.known
    try:
        for change in changes if not interrupted else ():
            row, interrupted = _row(change, base, designs, parts[1], library)
            rows.append(row)
            on_row(row)
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    certificate = base.outcome.certificate
    return Sensitivity(
        study=plan.study.name,
        percent=percent,
        metric=certificate.metric,
        unit=certificate.unit,
        sense=certificate.sense,
        objective=certificate.objective,
        bound=certificate.bound,
        designs=base.designs,
        rows=tuple(rows),
        interrupted=interrupted,
        left_out=left_out(plan),
    )


def _limited(plan: Plan, seconds: float | None) -> Plan:
    """The plan with a time limit of its own."""
    budget = plan.study.budget.model_copy(update={"seconds": seconds})
    return replace(plan, study=plan.study.model_copy(update={"budget": budget}))


def _with_references(plan: Plan, library: CostLibrary, seconds: float | None) -> Plan:
    """The plan with the step times of its baseline, scheduled once for all changes."""
    session = Session(plan, library, Budget.of(_limited(plan, seconds).study.budget, RUN))
    with session.step("baseline"):
        references(session)
    return session.plan


def _solve(plan: Plan, first: Sequence[Design], seconds: float | None) -> _Answer:
    """Solve a plan with references; nothing of it is kept."""
    findings = find(_limited(plan, seconds), Kept(), lambda *_: None, first=first, compare=False)
    outcome, best = summarize(findings), plan.study.search.top_k
    candidates = [e.design for g in findings.chosen.groups for e in g.candidates[:best]]
    bound = min(findings.whole.value, outcome.value)
    return _Answer(outcome.value, bound, metric(findings.plan), outcome, tuple(candidates))


def _designs(outcome: Outcome) -> list[Design]:
    return [next(iter(DesignSpace(template_of(load_yaml(text=design.yaml))))) for design in outcome.designs]


def _row(
    change: Change,
    base: _Answer,
    designs: Sequence[Design],
    seconds: float | None,
    library: CostLibrary,
) -> tuple[Row, bool]:
    """What a change buys, and whether Ctrl-C ended it."""
    certificate = base.outcome.certificate
    nothing, added = change.nothing, inf
    if not nothing and change.adds and len(change.plan.groups(change.plan.study.mode)) == 1:
        added = bound_of_added(change, library)
        if added >= base.value * (1 - NOISE):
            nothing = "the bound of every design that it adds is no better than the answer"
    if nothing:
        found = Row(
            change.key,
            change.before,
            change.after,
            certificate.objective,
            certificate.bound,
            0.0,
            0.0,
            0.0,
            0.0,
            base.designs,
            f"buys nothing (proven): {nothing}",
            next_size(change, base.value, base.outcome.limits, library),
        )
        return found, False
    try:
        known = [change.moved(design) for design in designs]
        first = dict.fromkeys([*known, *first_designs(change.plan, library)])
        answer = _solve(change.plan, list(first), seconds)
    except InfeasibleError as error:
        verdict = f"leaves no design within the limits: {error.summary}"
        empty = (None,) * 6
        return Row(change.key, change.before, change.after, *empty, (), verdict), False
    except NothingFoundError:
        empty = (None,) * 6
        return Row(change.key, change.before, change.after, *empty, (), "no answer was found in time"), False
    return _compared(change, base, answer, library, added), answer.outcome.stop == "interrupted"


def _compared(change: Change, base: _Answer, answer: _Answer, library: CostLibrary, added: float) -> Row:
    """The row of a solved change; ``added`` bounds the designs that it adds (``inf``: not known)."""
    certificate = base.outcome.certificate
    kept = change.adds and base.value <= answer.value  # the unchanged answer meets the larger limit as well
    value = base.value if kept else answer.value
    bound = min(answer.bound, value)
    least, most = gain_interval(base.value, base.bound, value, bound, adds=change.adds)
    if added < inf:
        most = min(most, max(0.0, base.value / added - 1)) if added > 0 else most
    objective, changed_bound = (base.metric.shown(v) for v in (value, bound))
    if kept:
        objective = certificate.objective
    gain = 0.0 if kept else base.value / value - 1
    farther = ""
    if change.adds and gain <= NOISE:
        farther = next_size(change, base.value, base.outcome.limits, library)
    return Row(
        change.key,
        change.before,
        change.after,
        objective,
        changed_bound,
        objective - certificate.objective,
        gain,
        least,
        most,
        base.designs if kept else answer.designs,
        _verdict(change, base, answer, gain, (least, most), kept=kept),
        farther,
    )


def _verdict(
    change: Change, base: _Answer, answer: _Answer, gain: float, proven: tuple[float, float], *, kept: bool
) -> str:
    least, most = proven
    if change.adds and most <= NOISE:
        return "buys nothing (proven): the answer without it meets the bound with it"
    text = "nothing found" if kept or abs(gain) <= NOISE else f"{_percent(gain)} found"
    text += f"; the optimum moves by {_percent(least)} to {_percent(most)} (proven)"
    if not change.adds and not kept:
        area = answer.outcome.area_mm2 - base.outcome.area_mm2
        tdp = answer.outcome.tdp_w - base.outcome.tdp_w
        text += f"; area {area:+.4g} mm^2, TDP {tdp:+.4g} W"
    return text


def _percent(value: float) -> str:
    return f"{100 * value:+.3g} %" if isfinite(value) else "any amount"
