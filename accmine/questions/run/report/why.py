"""Why the answer won: changes from the baseline, what bounds the time, what lost by how little."""

from __future__ import annotations

from accmine.questions.run.record import Nearest, Outcome, StageRow
from accmine.questions.run.report.answer import workload_order
from accmine.questions.run.report.labels import design_labels
from accmine.report import UNKNOWN, Section, each, figures, number, percent, seconds, texts

__all__ = ["PARTS", "changes", "nearest", "split_shares", "stage_name", "time_split"]

PARTS: tuple[tuple[str, str, str], ...] = (
    ("macs_s", "MACs", "all multiply-accumulates at peak rate"),
    ("fill_s", "fill", "array fill and drain, shapes that do not fill the array"),
    ("vector_s", "vector", "vector cores need longer than tensor cores"),
    ("hbm_s", "HBM", "HBM needs longer than the cores"),
    ("dependency_s", "depend.", "the longest path is longer than any resource needs"),
    ("idle_s", "idle", "what the schedule adds to the largest of these bounds"),
)
"""Field of ``TimeSplit``, short name and meaning of each part of the time, in the order they add up."""


def stage_name(outcome: Outcome, stage: StageRow) -> str:
    """Name of a stage; with several workloads the workload too, unless the name holds it or it has one stage."""
    if len(outcome.workloads) < 2 or stage.name.split("/")[0] == stage.workload:
        return stage.name
    alone = sum(other.workload == stage.workload for other in outcome.stages) == 1
    return stage.workload if alone else f"{stage.workload}/{stage.name}"


def changes(outcome: Outcome) -> Section:
    """Baseline to answer, one change at a time."""
    rows = []
    before: tuple[float, ...] = ()
    for row in outcome.changes:
        rows.append(
            (
                row.what,
                each(row.samples_per_s),
                _factors(row.samples_per_s, before),
                number(row.area_mm2),
                number(row.tdp_w),
                "yes" if row.within_limits else "no",
            )
        )
        before = row.samples_per_s
    return Section(
        "changes",
        "Why: from the baseline to the answer, one change at a time",
        (*texts("change"), *figures("samples/s", "× before", "area mm²", "TDP W"), *texts("within limits")),
        tuple(rows),
        workload_order(outcome) if rows else (),
    )


def _factors(now: tuple[float, ...], before: tuple[float, ...]) -> str:
    if len(before) != len(now):
        return ""
    return each((b / a if a else None for a, b in zip(before, now, strict=True)), 3)


def split_shares(stage: StageRow) -> tuple[float, ...]:
    """The parts of ``PARTS`` as shares of the device's busy time, 0 to 1; zeros for an idle device."""
    values = [float(getattr(stage.time_split, field)) for field, _, _ in PARTS]
    total = sum(values)
    return tuple(value / total if total > 0 else 0.0 for value in values)


def time_split(outcome: Outcome) -> Section:
    """What bounds the busy time of each device."""
    rows = tuple(
        (stage_name(outcome, stage), seconds(stage.busy_s), *(_share(s) for s in split_shares(stage)))
        for stage in outcome.stages
    )
    return Section(
        "time",
        "Why: what bounds the time, % of busy time",
        (*texts("device"), *figures("busy/step", *(short for _, short, _ in PARTS))),
        rows,
        ("; ".join(f"{short}: {meaning}" for _, short, meaning in PARTS) + ".",) if rows else (),
    )


def _share(share: float) -> str:
    return f"{100 * share:.1f}"


def nearest(outcome: Outcome) -> Section:
    """The nearest losing design, and how many designs are nearly as good."""
    certificate = outcome.certificate
    notes = []
    if outcome.nearest is not None:
        notes.append(_nearest_sentence(outcome.nearest, design_labels(outcome)))
    notes.append(
        f"Within 1 % of the best: {certificate.within_one_percent:,} of {certificate.evaluated_designs:,} "
        f"evaluated designs."
    )
    return Section("nearest", "Why: what nearly won", notes=tuple(notes))


def _nearest_sentence(row: Nearest, labels: dict[str, str]) -> str:
    name = f"{labels[row.design]} = {row.design}" if row.design in labels else row.design
    where = f" on {row.device}" if row.device else ""
    loss = percent(row.value_loss)
    how = "unknown" if loss == UNKNOWN else f"{loss} worse in the objective"
    return (
        f"Nearest losing design{where}: {name}, {how}, {_signed(row.tdp_difference_w)} W TDP, "
        f"{_signed(row.area_difference_mm2)} mm². {row.reason}".rstrip()
    )


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)
