"""What is proven: devices and their schedules, the certificate, and what the run cost."""

from __future__ import annotations

from math import isfinite

from accmine.questions.run.placement.record import AnyOutcome
from accmine.questions.run.record import Certificate, Outcome, PhaseRow
from accmine.questions.run.report.labels import design_labels
from accmine.questions.run.report.why import stage_name
from accmine.report import BULLET, UNKNOWN, Section, count, figures, gibibytes, number, percent, seconds, texts
from accmine.result import gap

__all__ = ["certificate", "devices", "run_facts", "schedules", "variant", "warnings"]


def devices(outcome: Outcome) -> Section:
    """Stages: which layers stand on which device, and what they need."""
    labels = design_labels(outcome)
    rows = tuple(
        (
            stage_name(outcome, stage),
            " … ".join(dict.fromkeys(stage.layers)),
            labels[stage.design],
            f"{gibibytes(stage.memory_bytes)} of {gibibytes(stage.hbm_bytes)}",
            percent(stage.memory_bytes / stage.hbm_bytes if stage.hbm_bytes else None),
            seconds(stage.busy_s),
            number(stage.average_power_w),
        )
        for stage in outcome.stages
    )
    return Section(
        "stages",
        "Stages",
        (*texts("device", "layers", "design"), *figures("memory", "of HBM", "busy/step", "average W")),
        rows,
    )


def schedules(outcome: Outcome) -> Section:
    """The verified operator schedules and their own bounds; how a bound was proved stands below, by number."""
    phases = [(stage_name(outcome, stage), phase) for stage in outcome.stages for phase in stage.phases]
    methods = list(dict.fromkeys(phase.bound_method for _, phase in phases))
    rows, last = [], ""
    for device, phase in phases:
        proof = f"[{methods.index(phase.bound_method) + 1}]"
        rows.append(("" if device == last else device, *_phase_row(phase), proof))
        last = device
    return Section(
        "schedules",
        "Operator schedules, every one verified",
        (
            *texts("device", "graph"),
            *figures("operators", "runs/step", "cycles", "bound", "gap"),
            *texts("status", "found by", "proof"),
        ),
        tuple(rows),
        tuple(f"[{i + 1}] {method}" for i, method in enumerate(methods)),
    )


def _phase_row(phase: PhaseRow) -> tuple[str, ...]:
    return (
        phase.name,
        count(phase.operators),
        count(phase.repeats),
        count(phase.cycles),
        count(phase.bound_cycles),
        percent(gap(phase.cycles, phase.bound_cycles)),
        phase.status,
        phase.solver,
    )


def certificate(outcome: Outcome) -> Section:
    """How far the answer can be from the best one, who proved it, and what the proof holds for."""
    known = outcome.certificate
    best = "lower is better" if known.sense == "minimize" else "higher is better"
    unit = f" [{known.unit}]" if known.unit else ""
    bound = number(known.bound)
    proof = "no bound is known" if bound == UNKNOWN else f"no better than {bound} {known.unit}".rstrip()
    notes = [
        f"Bound: {proof}, by {known.method}.",
        *_parts(known),
        f"Selection among the candidates: {known.selection_status}, by {known.selection_solver}. "
        f"Designs within the limits: {count(known.feasible_designs)}, evaluated: {count(known.evaluated_designs)}.",
    ]
    if known.scope:
        notes += ["The bound holds for:", *(BULLET + sentence for sentence in known.scope)]
    if known.assumptions:
        notes += ["Assumed by objective and bound alike:", *(BULLET + sentence for sentence in known.assumptions)]
    return Section(
        "certificate",
        f"Certificate: {known.metric}{unit}, {best}",
        figures("critical-path heuristic", "best verified", "proven bound", "gap"),
        ((number(known.heuristic), number(known.objective), bound, percent(known.gap)),),
        tuple(notes),
    )


def _parts(known: Certificate) -> list[str]:
    """What of the gap belongs to the schedules of the printed designs."""
    if known.gap == 0 or not isfinite(known.own_bound):
        return []
    pair = (known.objective, known.own_bound)
    worse, better = pair if known.sense == "minimize" else pair[::-1]
    own = max(0.0, (worse - better) / worse) if worse > 0 else 0.0
    limit = f"{number(known.own_bound)} {known.unit}".rstrip()
    return [
        f"Better schedules give the printed designs no better than {limit}: {percent(own)}; what is left of the gap "
        "belongs to other designs, or to their bounds."
    ]


def variant(outcome: Outcome) -> Section:
    """Whether the winner stays the same under the other variant of the technology."""
    return Section("variant", "Technology variant", notes=(outcome.variant,) if outcome.variant else ())


def warnings(outcome: AnyOutcome) -> Section:
    """Everything the run warns of."""
    return Section("warnings", "Warnings", notes=tuple(BULLET + warning for warning in outcome.warnings))


def run_facts(outcome: AnyOutcome) -> Section:
    """What the run took, with what, and where its files are."""
    notes = []
    if outcome.seconds:
        notes.append(" · ".join(f"{name} {_wall(value)}" for name, value in outcome.seconds.items()))
    if outcome.versions:
        notes.append("Versions: " + ", ".join(f"{name} {version}" for name, version in outcome.versions.items()))
    if outcome.folder:
        notes.append(f"Files: {outcome.folder}")
    return Section("run", "Seconds", notes=tuple(notes))


def _wall(value: float) -> str:
    return UNKNOWN if value != value else f"{value:.2f} s"  # noqa: PLR0124 — NaN is the only such value
