"""The report of a run that decides design and placement together: sections, and the figures of its page."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from accmine.questions.run.pictures import figures as pictures
from accmine.questions.run.placement.record import PlacementCertificate, PlacementOutcome, StepParts
from accmine.questions.run.report import answer, proof
from accmine.report import (
    BULLET,
    UNKNOWN,
    Figure,
    Section,
    Table,
    count,
    figures,
    gibibytes,
    number,
    percent,
    seconds,
    stacked_bars,
    texts,
)

__all__ = ["PARTS", "drawn", "headline", "hero", "sections"]

PARTS: tuple[tuple[str, str, str], ...] = (
    ("compute_s", "compute", "operators of forward and backward passes"),
    ("collectives_s", "collectives", "what devices of a tensor or expert group say to each other; all work waits"),
    ("messages_s", "messages", "what the step would be shorter if messages between stages took no time"),
    ("bubble_s", "bubble", "a device waits for others of its pipeline"),
    ("gradient_s", "gradients", "sum of gradients among replicas, and what ZeRO hands round"),
    ("update_s", "update", "optimiser"),
)
"""Field of ``StepParts``, short name and meaning of each part of the step."""


def sections(outcome: PlacementOutcome) -> list[Section]:
    """All sections in reading order; those with nothing to say are left out."""
    found = [
        _answer(outcome),
        _throughput(outcome),
        answer.limits(outcome),
        _baselines(outcome),
        _parts(outcome),
        _stages(outcome),
        _memory(outcome),
        _nearby(outcome),
        _certificate(outcome.certificate),
        proof.warnings(outcome),
        proof.run_facts(outcome),
    ]
    return [section for section in found if section]


def headline(outcome: PlacementOutcome) -> str:
    """The answer in one sentence."""
    distance = percent(outcome.certificate.gap)
    best = "the best possible in this space under this cost model"
    value = f"{number(outcome.samples_per_s)} samples/s on {outcome.devices:,} devices"
    if outcome.certificate.gap == 0:
        return f"{value}: {best}"
    return (
        f"{value}: how far from {best} is not known"
        if distance == UNKNOWN
        else f"{value}: at most {distance} below {best}"
    )


def _answer(outcome: PlacementOutcome) -> Section:
    design, placement = outcome.design, outcome.placement
    return Section(
        "answer",
        f"Answer: {outcome.study}",
        (*texts("chosen design", "devices"), *figures("area mm²", "TDP W", "peak TFLOP/s")),
        (
            (
                design.name,
                f"{outcome.devices:,}",
                number(design.area_mm2),
                number(design.tdp_w),
                number(design.peak_tflops),
            ),
        ),
        (
            f"Placement: {placement.to_line()}.",
            f"{headline(outcome)}.",
            f"Ranks, innermost first: {', '.join(placement.order)}. {placement.microbatches:,} microbatches of "
            f"{placement.microbatch} in each replica; {placement.devices:,} of {outcome.devices:,} devices are used.",
            f"Status {outcome.status}, stopped: {outcome.stop}.",
        ),
        files=(("design", design.yaml),),
    )


def _throughput(outcome: PlacementOutcome) -> Section:
    over = max(outcome.mfu, outcome.hfu) > answer.MFU_WARNING
    warning = (
        f"Warning: {percent(max(outcome.mfu, outcome.hfu))} utilisation. Above {percent(answer.MFU_WARNING)} a cost "
        "model is more likely to miss an overhead than a design is to be that good.",
    )
    row = (
        outcome.workload,
        f"{outcome.batch:,}",
        seconds(outcome.value),
        number(outcome.samples_per_s),
        percent(outcome.mfu),
        percent(outcome.hfu),
        percent(outcome.parts.bubble_s / outcome.value if outcome.value else None),
    )
    columns = (*texts("workload"), *figures("batch", "step", "samples/s", "MFU", "HFU", "bubble"))
    return Section("throughput", "Throughput", columns, (row,), warning if over else ())


def _baselines(outcome: PlacementOutcome) -> Section:
    """References, each with the best placement that was found for it."""
    rows, notes = [], []
    for row in outcome.baselines:
        line = row.placement.to_line() if row.placement else UNKNOWN
        ratio = number(row.ratio)
        rows.append(
            (
                row.name,
                line,
                seconds(row.step_s),
                number(row.samples_per_s),
                ratio if ratio == UNKNOWN else f"{ratio}×",
                percent(row.gap),
                number(row.area_mm2),
                number(row.tdp_w),
            )
        )
        notes += [f"{row.name}: {row.note}"] if row.note else []
    notes += ["ratio: samples/s of the answer over its own. gap: how far its own placement may be from its best."]
    columns = (
        *texts("baseline", "its own placement"),
        *figures("step", "samples/s", "ratio", "gap", "area mm²", "TDP W"),
    )
    title = "Baselines, each with its own best placement under the same rules"
    return Section("baselines", title, columns, tuple(rows), tuple(notes) if rows else ())


def _parts(outcome: PlacementOutcome) -> Section:
    values = [float(getattr(outcome.parts, field)) for field, _, _ in PARTS]
    step = outcome.parts.step_s
    rows = tuple(
        (short, seconds(value), percent(value / step if step else None), meaning)
        for value, (_, short, meaning) in zip(values, PARTS, strict=True)
    )
    total = ("step", seconds(step), percent(1.0), "the sum")
    columns = (*texts("part"), *figures("time", "of the step"), *texts("what it is"))
    return Section("parts", "Where the step goes, on the mean device", columns, (*rows, total))


def _stages(outcome: PlacementOutcome) -> Section:
    rows = tuple(
        (
            str(number_),
            f"{stage.layers} ({stage.first} … {stage.last})" if stage.layers > 1 else f"1 ({stage.first})",
            str(outcome.placement.tensor),
            outcome.placement.recompute,
            seconds(stage.forward_s),
            seconds(stage.backward_s),
            seconds(stage.collectives_s),
            seconds(stage.message_s),
            seconds(stage.gradient_s),
            seconds(stage.update_s),
        )
        for number_, stage in enumerate(outcome.stages)
    )
    return Section(
        "stages",
        "Stages",
        (
            *texts("stage", "layers"),
            *figures("devices"),
            *texts("recompute"),
            *figures("forward", "backward", "collectives", "message", "gradients", "update"),
        ),
        rows,
        (
            "forward, backward, collectives, message to the next stage: of one microbatch. gradients, update: once in "
            "a step.",
        ),
    )


def _memory(outcome: PlacementOutcome) -> Section:
    """Of chunks the device that holds them is one row."""
    rows = []
    for number_, stage in enumerate(outcome.stages[: outcome.placement.pipeline]):
        own = stage.memory
        sizes = (own.weights, own.gradients, own.optimizer, own.stash, own.working, own.total)
        share = percent(own.total / own.capacity if own.capacity else None)
        rows.append((str(number_), *map(gibibytes, sizes), share, str(own.in_flight)))
    columns = (
        *texts("device of the pipeline"),
        *figures("weights", "gradients", "optimiser", "stash", "working", "needed", "of HBM", "in flight"),
    )
    return Section("memory", "Memory by purpose, of one device", columns, tuple(rows))


def _nearby(outcome: PlacementOutcome) -> Section:
    rows = []
    for row in outcome.nearby:
        ranks = row.placement.order
        apart = "" if ranks == outcome.placement.order else f", ranks {', '.join(ranks)}"
        rows.append((row.placement.to_line() + apart, seconds(row.step_s), percent(row.loss), row.where))
    columns = (*texts("plan"), *figures("step", "loses"), *texts("where"))
    note = ("Plans of the chosen design. where: parts of the step that are longer, in % of the answer's step.",)
    return Section("nearby", "Plans that nearly won", columns, tuple(rows), note if rows else ())


def _certificate(known: PlacementCertificate) -> Section:
    bound = number(known.bound)
    proven = "no bound is known" if bound == UNKNOWN else f"no design, plan and cut gives more than {bound} samples/s"
    notes = [f"Bound: {proven}, by {known.method}." if known.method else f"Bound: {proven}."]
    parts = (
        (known.schedules, "better operator schedules of the printed design and placement"),
        (known.plans, "what chains leave open of plans and cuts"),
        (known.designs, "other designs, or their bounds"),
    )
    if known.gap and all(isfinite(share) for share, _ in parts):
        split = ", ".join(f"{percent(share)} {what}" for share, what in parts)
        notes.append(f"Parts of the gap (what each leaves multiplies: 1 - gap = product of 1 - part): {split}.")
    notes.append(
        f"Designs within the limits: {count(known.feasible_designs)}; plans without their cuts: "
        f"{count(known.plans_bounded)}, of {known.variants} variants of the model; pairs bounded one by one: "
        f"{count(known.pairs)}."
    )
    notes += ["The bound holds for:", *(BULLET + sentence for sentence in known.scope)]
    notes += ["Assumed by objective and bound alike:", *(BULLET + sentence for sentence in known.assumptions)]
    return Section(
        "certificate",
        "Certificate: throughput [samples/s], higher is better",
        figures("best verified", "proven bound", "gap"),
        ((number(known.objective), bound, percent(known.gap)),),
        tuple(notes),
    )


def hero(outcome: PlacementOutcome) -> list[Figure]:
    """What stands above the fold: the certificate and the design."""
    own = outcome.certificate
    return [
        pictures.certificate_figure("Throughput", "samples/s", None, own.objective, own.bound, own.gap),
        pictures.design_figure(outcome.designs, [""]),
    ]


def drawn(outcome: PlacementOutcome, trace: Mapping[str, Any] | None = None) -> dict[str, list[Figure]]:
    """The figures of the sections, by their keys."""
    step = stacked_bars([("step", _shares(outcome.parts))], [short for _, short, _ in PARTS], "parts of the step")
    rows = [(short, float(getattr(outcome.parts, field))) for field, short, _ in PARTS]
    _, lines = pictures.trace_figures(trace)
    return {
        "parts": [
            Figure("step", "Where the step goes", step, "Shares of the step.", Table(("part", "seconds"), rows)),
            *pictures.part_figures(outcome.designs, ["design"]),
        ],
        "limits": [pictures.limits_figure(outcome.limits)],
        "certificate": [pictures.progress_figure(outcome.trace, "seconds of a step, lower is better")],
        "timeline": lines,
    }


def _shares(parts: StepParts) -> tuple[float, ...]:
    step = parts.step_s
    return tuple(max(0.0, float(getattr(parts, field))) / step if step else 0.0 for field, _, _ in PARTS)
