"""What was chosen: designs, throughput, limits, and the comparison with baselines and other modes."""

from __future__ import annotations

import math

from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.record import LimitRow, Outcome, WorkloadRow
from accmine.questions.run.report.labels import design_labels, legend
from accmine.report import BULLET, UNKNOWN, Column, Section, each, figures, number, percent, seconds, si, texts

__all__ = [
    "MFU_WARNING",
    "baselines",
    "contention",
    "designs",
    "headline",
    "limits",
    "modes",
    "regret",
    "throughput",
    "workload_order",
]

MFU_WARNING = 0.75
"""Utilisation above which a throughput is printed with a warning."""


def headline(outcome: Outcome) -> str:
    """The answer in one sentence: value, devices, and distance from the best possible."""
    certificate = outcome.certificate
    devices = outcome.chips or sum(len(design.devices) for design in outcome.designs)
    where = "one device" if devices == 1 else f"{devices} devices"
    metric = certificate.metric[:1].upper() + certificate.metric[1:]
    value = f"{metric} {number(certificate.objective)} {certificate.unit}".rstrip() + f" on {where}"
    best = "the best possible in this space under this cost model"
    if certificate.gap == 0:
        return f"{value}: {best}"
    distance = percent(certificate.gap)
    if distance == UNKNOWN:
        return f"{value}: how far from {best} is not known"
    if certificate.sense == "minimize":  # the gap is relative to the objective, not to the bound
        return f"{value}: {best} is at most {distance} lower"
    return f"{value}: at most {distance} below {best}"


def designs(outcome: Outcome) -> Section:
    """The chosen designs and the totals of the system."""
    labels = design_labels(outcome)
    rows = tuple(
        (
            labels[design.name],
            design.name,
            ", ".join(design.devices),
            number(design.area_mm2),
            number(design.tdp_w),
            number(design.peak_tflops),
        )
        for design in outcome.designs
    )
    return Section(
        "answer",
        f"Answer: {outcome.study}",
        (*texts("", "chosen design", "devices"), *figures("area mm²", "TDP W", "peak TFLOP/s")),
        rows,
        (
            f"{headline(outcome)}.",
            f"Whole system: {number(outcome.area_mm2)} mm²{_band(outcome.area_error)}, {number(outcome.tdp_w)} W "
            f"TDP{_band(outcome.tdp_error)}, {_per_watt(outcome)} samples/s per W of TDP.",
            f"Objective {outcome.objective}: value {number(outcome.value)}; status {outcome.status}, "
            f"stopped: {outcome.stop}.",
        ),
        files=tuple((f"design {labels[design.name]}", design.yaml) for design in outcome.designs if design.yaml),
    )


def _per_watt(outcome: Outcome) -> str:
    """Throughput of each workload over the TDP of all devices: samples of different models do not add up."""
    if len(outcome.workloads) < 2:
        return number(outcome.samples_per_s_per_w)
    rates = {row.name: row.samples_per_s / outcome.tdp_w if outcome.tdp_w else None for row in outcome.workloads}
    return ", ".join(f"{name} {number(rate)}" for name, rate in rates.items())


def _band(error: float | None) -> str:
    """The technology's band around a value, or nothing where it states none."""
    return "" if error is None else f" ± {100 * error:.0f} %"


def throughput(outcome: Outcome) -> Section:
    """Training performance, one row per workload; utilisation above 75 % is called out."""
    rows, notes, marked = [], [], []
    for index, row in enumerate(outcome.workloads):
        over = [name for name, share in (("MFU", row.mfu), ("HFU", row.hfu)) if share > MFU_WARNING]
        if over:
            marked.append(index)
            notes.append(
                f"Warning: {row.name} reaches {percent(max(row.mfu, row.hfu))} {' and '.join(over)}. "
                f"Above {percent(MFU_WARNING)} a cost model is more likely to miss an overhead "
                "than a design is to be that good."
            )
        rows.append(
            (
                row.name,
                f"{row.batch:,} = {row.microbatches:,} × {row.microbatch:,}",
                seconds(row.step_s),
                number(row.samples_per_s) + _interval(row),
                percent(row.mfu) + ("!" if row.mfu > MFU_WARNING else ""),
                percent(row.hfu) + ("!" if row.hfu > MFU_WARNING else ""),
                percent(row.bubble),
                si(row.energy_j, "J"),
                number(row.energy_j / row.step_s if row.step_s else None),
                percent(_of_tdp(outcome, row)),
            )
        )
    columns = (
        Column("workload"),
        *figures("batch", "step", "samples/s", "MFU", "HFU", "bubble", "energy/step", "average W", "of TDP"),
    )
    reasons = {row.no_interval for row in outcome.workloads if row.no_interval}
    if any(row.interval for row in outcome.workloads):
        notes.append(
            "samples/s (from–to): with times that 9 of 10 operators of these kinds keep, of measured ones that the "
            "calibration was not fitted on."
        )
    notes += [f"samples/s: {reason}." for reason in sorted(reasons)]
    notes += contention(outcome)
    return Section("throughput", "Throughput", columns, tuple(rows), tuple(notes), tuple(marked))


def _interval(row: WorkloadRow) -> str:
    """Throughput at both ends of the interval of its time."""
    if not row.interval:
        return ""
    low, high = row.interval
    return f" ({number(row.samples_per_s / high)}–{number(row.samples_per_s / low)})"


def _of_tdp(outcome: Outcome, row: WorkloadRow) -> float | None:
    """Average power of a step over the TDP of the devices that run it."""
    known = {design.name: design.tdp_w for design in outcome.designs}
    tdp = sum(known.get(stage.design, math.nan) for stage in outcome.stages if stage.workload == row.name)
    return row.energy_j / row.step_s / tdp if row.step_s and tdp else None


def contention(outcome: Outcome) -> list[str]:
    """One line per device on what sharing the HBM costs; none where it was not looked at."""
    lines = []
    for stage in outcome.stages:
        if (found := stage.contention) is not None:
            most = "" if percent(found.cost_at_most) == UNKNOWN else f"; at most {percent(found.cost_at_most)}"
            lines.append(
                f"{BULLET}{stage.name}: sharing the HBM costs {percent(found.cost)} (against private bandwidth{most})."
            )
    if lines:
        lines.append(
            "Private bandwidth: every operator has the whole HBM bandwidth for itself. The first figure compares with "
            "the best schedule found for that, the second with its proven bound."
        )
    return lines


_ACTIVE = "A limit is active when one more core no longer fits, or when the selection would be better without it."


def limits(outcome: Outcome | PlacementOutcome) -> Section:
    """Every limit: used, slack, and whether it binds."""
    rows = tuple(_limit_row(row) for row in outcome.limits)
    marked = tuple(i for i, row in enumerate(outcome.limits) if row.active)
    names = ", ".join(row.name for row in outcome.limits if row.active)
    note = (
        f"Active: {names}."
        if names
        else "No limit is active: no larger design or selection that was looked at is better."
    )
    return Section(
        "limits",
        "Limits",
        (*texts("limit"), *figures("used", "limit", "slack", "slack %", "least step"), *texts("unit", "active")),
        rows,
        (note, _ACTIVE) if rows else (),
        marked,
    )


def _limit_row(row: LimitRow) -> tuple[str, ...]:
    slack = row.limit - row.used
    relative = slack / row.limit if row.limit and math.isfinite(row.limit) else None
    return (
        row.name,
        number(row.used),
        number(row.limit),
        number(slack),
        percent(relative),
        number(row.least_step),
        row.unit,
        "active" if row.active else "no",
    )


def workload_order(outcome: Outcome) -> tuple[str, ...]:
    """With several workloads: the order of the numbers in a cell."""
    if len(outcome.workloads) < 2:
        return ()
    return (f"Numbers per workload in the order {' / '.join(row.name for row in outcome.workloads)}.",)


def baselines(outcome: Outcome) -> Section:
    """The answer against reference designs, each under the same operator split."""
    rows, notes = [], []
    for row in outcome.baselines:
        rows.append(
            (
                row.name,
                row.operator_split,
                each(row.samples_per_s),
                each(row.own_samples_per_s),
                _times(row.ratio),
                _times(row.ratio_per_tdp),
                number(row.area_mm2),
                number(row.tdp_w),
            )
        )
        if row.note:
            notes.append(f"{row.name}, split {row.operator_split}: {row.note}")
    columns = (
        *texts("baseline", "split"),
        *figures("samples/s", "answer's samples/s", "ratio", "ratio/TDP", "area mm²", "TDP W"),
    )
    tail = workload_order(outcome) if rows else ()
    return Section("baselines", "Baselines, same cost model and rules", columns, tuple(rows), (*notes, *tail))


def _times(ratio: float) -> str:
    text = number(ratio)
    return text if text == UNKNOWN else f"{text}×"


def regret(outcome: Outcome) -> Section:
    """What the design loses in each mix to the best design for it."""
    known = outcome.regret
    if known is None:
        return Section("regret", "Regret")
    rows = tuple(
        (
            row.name,
            " / ".join(percent(share) for share in row.shares),
            number(row.answer),
            number(row.best),
            number(row.bound),
            percent(row.regret),
            percent(row.regret_at_most),
        )
        for row in known.mixes
    )
    worst = max(range(len(rows)), key=lambda i: known.mixes[i].regret)
    return Section(
        "regret",
        "Regret over mixes, in step times relative to the baseline",
        (*texts("mix"), *figures("shares", "answer", "best known", "bound", "loses", "at most")),
        rows,
        (
            f"In its worst mix the answer loses {percent(known.value)} to the best design that is known for the mix, "
            f"and at most {percent(known.at_most)} to any there can be; no design of the space loses less than "
            f"{percent(known.at_least)}.",
            *workload_order(outcome),
        ),
        (worst,),
    )


def modes(outcome: Outcome) -> Section:
    """The optimum of each selection mode side by side, when the study has several devices."""
    if not outcome.modes:
        return Section("modes", "Selection modes")
    labels = design_labels(outcome)
    rows = tuple(
        (
            row.mode,
            number(row.relative),
            each(row.samples_per_s),
            number(row.area_mm2),
            number(row.tdp_w),
            row.status,
            " ".join(labels[name] for name in row.designs),
        )
        for row in outcome.modes
    )
    chosen = {design.name for design in outcome.designs}
    others = [name for row in outcome.modes for name in row.designs if name not in chosen]
    return Section(
        "modes",
        "Selection modes, from the same candidates",
        (*texts("mode"), *figures("relative", "samples/s", "area mm²", "TDP W"), *texts("status", "designs")),
        rows,
        (
            "relative: step time over that of the reference, lower is better.",
            *workload_order(outcome),
            *legend(labels, others),
        ),
    )
