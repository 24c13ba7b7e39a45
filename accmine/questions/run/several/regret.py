"""The least regret over mixes of workloads: the best design of each mix, and then one for all of them.

With r_w the step time of workload w relative to the baseline's and s_mw its share in mix m, the regret of a design is

    max_m (Σ_w s_mw r_w) / best_m − 1.

The best step of a mix is itself a run: what is known of it is a verified value and a bound. The design is chosen
against the verified ones, so what it loses to the best there can be is an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from accmine.errors import CheckError
from accmine.hardware import Design
from accmine.interrupts import held
from accmine.plan import Plan
from accmine.ports import Incumbent
from accmine.problems.limits import within
from accmine.questions.run.record import Outcome
from accmine.questions.run.several.regret_record import MixRow, Regret
from accmine.questions.run.several.series import fitting, run_of_series
from accmine.questions.run.summary import Findings, summarize, trace_lanes
from accmine.report import Watch
from accmine.result import Status
from accmine.search import RUN, Budget, Session, Store, metric, opened

__all__ = ["solve_regret"]

FINAL = 2
"""Shares of the budget for the design of all mixes; each mix has one."""

Mixes = Sequence[tuple[str, tuple[float, ...]]]
"""Name, and shares of the workloads, which sum to 1."""


def solve_regret(
    plan: Plan,
    mixes: Mixes,
    store: Store,
    on_progress: Incumbent,
    *,
    first: Sequence[Design] = (),
    began: float | None = None,
    watch: Watch | None = None,
) -> tuple[Outcome, list[Any]]:
    """Everything between the plan and the files; parameters and errors as ``accmine.questions.run.flow.find``.

    Ctrl-C ends what is searched; the mixes that are left get what takes no search.

    Parameters
    ----------
    plan
        Of one design for workloads that take turns on one device.
    """
    budget = Budget.of(plan.study.budget, RUN, began=began)
    more: dict[str, Any] = {"store": store, "first": tuple(first), "on_progress": on_progress}
    with opened(plan, budget, watch=watch or Watch(), limits=plan.study.budget, **more) as session:
        found = _of_mixes(session, mixes)
        best = [min(_mixed(f, shares) for f in found) for _, shares in mixes]
        rows = tuple(tuple(share / least for share in shares) for (_, shares), least in zip(mixes, best, strict=True))
        last = replace(session.plan, mixes=rows)
        own = metric(last)
        session.watch.unit(own.unit, own.shown)
        findings = run_of_series(session, last, "regret", "all mixes", 1.0, fitting(session, last, found))
        session.progress(findings.chosen.value, findings.whole.value)
    with held():  # everything is known: a Ctrl-C here has nothing to end
        return _outcome(session, mixes, found, findings), trace_lanes(findings)


def _of_mixes(session: Session, mixes: Mixes) -> list[Findings]:
    """The best design of each mix."""
    found: list[Findings] = []
    for i, (name, shares) in enumerate(mixes):
        plan = replace(session.plan, mixes=(shares,))
        share = 1 / (len(mixes) - i + FINAL)
        first = fitting(session, plan, found) if found else []
        found.append(run_of_series(session, plan, f"mix{i}", f"mix {i + 1} of {len(mixes)}, {name}", share, first))
    return found


def _mixed(findings: Findings, shares: Sequence[float]) -> float:
    """Relative step of a mix with the answer of a run."""
    steps = zip(shares, findings.chosen.step_s, findings.plan.reference_s, strict=True)
    return sum(share * step / reference for share, step, reference in steps)


def _outcome(session: Session, mixes: Mixes, found: Sequence[Findings], findings: Findings) -> Outcome:
    rows = []
    for (name, shares), own in zip(mixes, found, strict=True):
        answer = _mixed(findings, shares)
        best = min(answer, *(_mixed(f, shares) for f in found))
        if not within(own.whole.value, best):
            raise CheckError(f"bound {own.whole.value} of the mix {name} is above a verified value, {best}")
        bound = min(own.whole.value, best)
        rows.append(MixRow(name, shares, best, bound, answer, answer / best - 1, answer / bound - 1))
    regret = Regret(
        at_least=max(0.0, findings.whole.value - 1),
        value=max(row.regret for row in rows),
        at_most=max(row.regret_at_most for row in rows),
        mixes=tuple(rows),
    )
    outcome = summarize(replace(findings, interrupted=session.interrupted))
    proven = regret.at_most <= regret.at_least
    stop = outcome.stop if proven or outcome.stop != "proved" else "finished"
    return replace(
        outcome,
        status=(Status.OPTIMAL if proven else Status.FEASIBLE).value,
        stop=stop,
        seconds={name: round(value, 3) for name, value in session.seconds.items()},
        trace=tuple(session.trace),
        regret=regret,
    )
