"""A run of a sparse dataflow accelerator as sections: for a terminal, and for its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accmine.questions.sparse.study import pictures
from accmine.questions.sparse.study.record import SparseOutcome
from accmine.questions.sparse.study.rows import LevelSource, OtherDesign, ResourceRow, SparseLayerRow
from accmine.questions.sparse.study.several.record import SpreadOutcome
from accmine.questions.sparse.study.worth import said
from accmine.report import BULLET, UNKNOWN, Figure, Section, count, figures, number, percent, seconds, texts

__all__ = [
    "FOLDINGS",
    "LAYERS",
    "amount",
    "band",
    "drawn",
    "headline",
    "hero",
    "layer_cells",
    "run_notes",
    "sections",
    "sources",
]

MOST_LAYERS = 12
"""Layers that are printed; a page has all of them in the table of its figure."""

LAYERS = (
    *texts("layer", "level"),
    *figures("density", "loss", "cycles"),
    *texts("by", "engine"),
    *figures("engines", "fine"),
    *texts("weights"),
    *figures("slack", "DSP", "LUT", "BRAM", "URAM"),
)
"""Columns of a layer."""

FOLDINGS = "engines: in × out × groups side by side; fine: multipliers of each; weights: where they are."
"""What is under them."""


def hero(outcome: SparseOutcome) -> list[Figure]:
    """The figures at the top of the page."""
    return [pictures.certificate(outcome), pictures.resources(outcome)]


def drawn(outcome: SparseOutcome, trace: Mapping[str, Any] | None = None) -> dict[str, list[Figure]]:
    """The other figures, by the section that they belong to; there is no schedule to draw."""
    del trace
    return {"layers": [pictures.layers(outcome)], "tpe": pictures.tpe(outcome), "certificate": pictures.gap(outcome)}


def headline(outcome: SparseOutcome) -> str:
    """The answer in a sentence."""
    certificate = outcome.certificate
    value = f"{number(outcome.images_per_s)} images/s on {outcome.device}, losing {outcome.loss:g} points"
    made_up = [own.word for own in outcome.sources if own.made_up]
    value += f" ({', '.join(made_up)}: made up)" if made_up else ""
    best = "the most that is possible in this space under this model"
    if outcome.accuracy is not None and outcome.accuracy.assumes_monotone:
        best += ", if a network loses no less where every layer is at least as sparse"
    return f"{value}: {best}" if certificate.gap == 0 else f"{value}: at most {percent(certificate.gap)} below {best}"


def sections(outcome: SparseOutcome) -> list[Section]:
    """All sections in their order."""
    found = [
        _answer(outcome),
        _resources(outcome),
        Section("binds", "Why: what binds", notes=_binds(outcome)),
        Section("buys", "What the next of each limit buys", notes=_buys(outcome)),
        _rounds(outcome),
        _beside(outcome),
        _layers(outcome),
        _tpe(outcome),
        sources(outcome.sources),
        _certificate(outcome),
        Section("warnings", "Warnings", notes=tuple(f"{BULLET}{line}" for line in outcome.warnings)),
        Section("run", "Run", notes=run_notes(outcome, "problem.json solution.json checks the design again")),
    ]
    return [section for section in found if section]


def _answer(outcome: SparseOutcome) -> Section:
    notes = (
        f"{headline(outcome)}.",
        f"{number(outcome.images_per_s_per_dsp)} images/s per DSP used; one image every {outcome.value:,} cycles at "
        f"{outcome.frequency_hz / 1e6:g} MHz.",
        f"{outcome.network}: {len(outcome.layers)} layers, {count(outcome.macs)} multiply-accumulates of an image, "
        f"{count(outcome.parameters)} weights.",
        _loss(outcome),
        *_preferred(outcome),
        f"Status {outcome.status}, stopped: {outcome.stop}.",
    )
    return Section("answer", f"Answer: {outcome.study}", notes=notes)


def _loss(outcome: SparseOutcome) -> str:
    beside = "" if outcome.accuracy is None else f"; by the losses of levels {outcome.proxy_loss:g}"
    return f"Loss: {outcome.loss:g} of {outcome.loss_limit:g} points, {outcome.loss_is}{beside}."


def _resources(outcome: SparseOutcome) -> Section:
    rows = []
    for row in outcome.resources:
        share = percent(row.used / row.device) if row.device else UNKNOWN
        cells = [amount(row.name, value) for value in (row.used, row.allowed, row.device)]
        rows.append((row.name, *cells, share, band(row)))
    columns = (*texts("resource"), *figures("used", "allowed", "device", "of device"), *texts("estimate"))
    note = f"Device: {outcome.device}. {outcome.device_source}."
    return Section("resources", f"Resources of {outcome.device}", columns, tuple(rows), (note,))


def amount(name: str, value: float) -> str:
    """An amount of a resource with its unit."""
    return f"{number(value / 1e9)} Gbit/s" if name == "bandwidth" else f"{round(value):,}"


def band(row: ResourceRow) -> str:
    """Between what an estimate lies."""
    return "exact" if row.least == row.most else f"{count(round(row.least))} to {count(round(row.most))}"


def _binds(outcome: SparseOutcome) -> tuple[str, ...]:
    near = [row.name for row in outcome.layers if outcome.value > row.cycles >= 0.95 * outcome.value]
    more = (
        f"Layers that take 95 % of it or more beside: {len(near)}; the resources are shared with them." if near else ""
    )
    return (*(f"{BULLET}{line}" for line in outcome.binds), *([more] if more else []))


def _buys(outcome: SparseOutcome) -> tuple[str, ...]:
    which = (
        ()
        if outcome.accuracy is None or not outcome.buys
        else ("With the levels of this design, for others were not tried on the real network:",)
    )
    return (*which, *(f"{BULLET}{said(row, outcome.images_per_s)}" for row in outcome.buys))


def _rounds(outcome: SparseOutcome) -> Section:
    """The proxy and the truth side by side."""
    own = outcome.accuracy
    if own is None:
        return Section("rounds", "")
    rows = tuple(
        (
            str(row.number),
            f"{row.cycles:,}",
            f"{row.proxy_loss:.3f}",
            f"{row.corrected_loss:.3f}",
            f"{row.true_loss:.3f}",
            UNKNOWN if row.accuracy is None else f"{row.accuracy:.2f} %",
            "yes" if row.holds else "no",
            str(row.solves),
            seconds(row.solve_s),
            seconds(row.evaluate_s),
        )
        for row in own.rounds
    )
    columns = (
        *figures("round", "cycles", "proxy loss", "corrected", "true loss", "accuracy"),
        *texts("holds"),
        *figures("problems", "solving", "evaluating"),
    )
    against = "" if own.reference is None else f" against {own.reference:.2f} % without sparsity"
    notes = (f"Asked: {own.by}{against}.", *(f"{BULLET}{claim}" for claim in own.claims))
    held = tuple(i for i, row in enumerate(own.rounds) if row.holds and row.cycles == outcome.certificate.cycles)
    return Section("rounds", "The true loss, round by round", columns, rows, notes, held[:1])


def _preferred(outcome: SparseOutcome) -> list[str]:
    """What is known of what the study prefers among the fastest designs."""
    if outcome.prefer == "none":
        return []
    used = outcome.loss if outcome.prefer == "loss" else _used(outcome, outcome.prefer)
    bound = outcome.prefer_bound
    if bound is None:
        return [f"Of the designs as fast it need not take least {outcome.prefer}: that was not looked at."]
    which = "No design as fast" if outcome.accuracy is None else "With the levels of this design none as fast"
    if used <= bound:
        return [f"{which} takes less {outcome.prefer}: proved."]
    return [f"{which} takes less {outcome.prefer} than {number(bound, 8)}; this one takes {number(used, 8)}."]


def _used(outcome: SparseOutcome, name: str) -> float:
    return next(row.used for row in outcome.resources if row.name == name)


def _beside(outcome: SparseOutcome) -> Section:
    """The answer beside dense and TPE."""
    dsp = _used(outcome, "dsp")
    certificate = outcome.certificate
    proof = "proved" if outcome.status == "optimal" else f"gap {percent(certificate.gap)}"
    rows: list[tuple[str, ...]] = [
        (
            "this answer",
            number(outcome.images_per_s),
            number(dsp, 8),
            number(outcome.images_per_s_per_dsp),
            f"{outcome.loss:g}",
            "",
            proof,
            seconds(certificate.solver_s),
        )
    ]
    others = [outcome.dense, None if outcome.tpe is None else outcome.tpe.found]
    rows += [_other(own) for own in others if own is not None]
    if len(rows) == 1:
        return Section("beside", "")
    columns = (
        *texts("design"),
        *figures("images/s", "DSP", "images/s/DSP", "loss", "answer's images/s"),
        *texts("proof"),
        *figures("seconds"),
    )
    notes = [f"{own.what}: {own.note}." for own in others if own is not None and own.note]
    title = f"On the same {outcome.device}, same limits and same model"
    return Section("beside", title, columns, tuple(rows), tuple(notes), marked=(0,))


def _other(own: OtherDesign) -> tuple[str, ...]:
    if own.images_per_s is None or own.dsp is None or own.cycles is None:
        return (own.what, *(UNKNOWN,) * 5, own.status, seconds(own.seconds))
    proof = "proved" if own.status == "optimal" else "none"
    if own.status != "optimal" and own.bound_cycles:
        proof = f"gap {percent(1 - own.bound_cycles / own.cycles)}"
    return (
        own.what,
        number(own.images_per_s),
        number(own.dsp, 8),
        number(own.images_per_s / max(1, own.dsp)),
        f"{own.loss:g}",
        f"{number(own.ratio)}×",
        proof,
        seconds(own.seconds),
    )


def _layers(outcome: SparseOutcome) -> Section:
    slowest = sorted(outcome.layers, key=lambda row: -row.cycles)[:MOST_LAYERS]
    rows = tuple(layer_cells(row) for row in slowest)
    left = len(outcome.layers) - len(rows)
    more = (f"{left} layers that are faster are in result.json, and on the page.",) if left else ()
    notes = (FOLDINGS, *more)
    marked = tuple(i for i, row in enumerate(slowest) if row.name in outcome.binding)
    return Section("layers", "Layers, the slowest first", LAYERS, rows, notes, marked)


def layer_cells(row: SparseLayerRow) -> tuple[str, ...]:
    """A layer under ``LAYERS``."""
    return (
        row.name,
        row.level,
        percent(row.density),
        f"{row.loss:.3g}",
        f"{row.cycles:,}",
        row.binds,
        row.engine,
        f"{row.coarse_in}×{row.coarse_out}×{row.coarse_group}",
        str(row.fine),
        row.memory,
        str(row.slack),
        f"{row.dsp:,}",
        f"{row.lut:,}",
        f"{row.bram18:,}",
        f"{row.uram:,}",
    )


def _tpe(outcome: SparseOutcome) -> Section:
    tpe = outcome.tpe
    if tpe is None or not tpe.trace:
        return Section("tpe", "")
    best = tpe.trace[-1]
    rows = tuple(
        (seconds(row.seconds), "" if row.evaluations is None else f"{row.evaluations:,}", percent(row.share))
        for row in _thinned(tpe.trace)
    )
    note = (
        f"{tpe.trials:,} trials in {seconds(tpe.found.seconds)}: {percent(best.share)} of the images/s of this answer, "
        f"which took {seconds(outcome.certificate.solver_s)} with its proof."
    )
    return Section("tpe", "TPE on the same problem", figures("after", "trials", "of the answer"), rows, (note,))


def _thinned(rows: tuple[Any, ...], most: int = 8) -> list[Any]:
    """The first, the last, and some between."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def sources(rows: Sequence[LevelSource]) -> Section:
    """Where levels come from."""
    notes = [f"{BULLET}{own.word}: {own.meaning}." for own in rows]
    return Section("sources", "Where levels and losses come from", notes=tuple(notes))


def _certificate(outcome: SparseOutcome) -> Section:
    own = outcome.certificate
    row = (f"{own.cycles:,}", f"{own.bound_cycles:,}", number(own.objective), number(own.bound), percent(own.gap))
    columns = figures("cycles", "bound", "images/s", "no design above", "gap")
    notes = (
        f"By {own.solver} in {seconds(own.solver_s)}; bound: {own.method}. The design was checked by code that shares "
        "nothing with it.",
        "Assumed by objective and bound alike:",
        *(f"{BULLET}{line}" for line in own.assumptions),
    )
    return Section("certificate", "Certificate: cycles between two images, lower is better", columns, (row,), notes)


def run_notes(outcome: SparseOutcome | SpreadOutcome, check: str) -> tuple[str, ...]:
    """How a run went, and where it is.

    Parameters
    ----------
    check
        What ``accmine check`` is called with, and what it does.
    """
    parts = ", ".join(f"{name} {seconds(value)}" for name, value in outcome.seconds.items())
    said = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
    notes = [f"Seconds: {parts}.", f"Versions: {said}."]
    if outcome.folder:
        notes.append(f"Run folder: {outcome.folder}; accmine check {check}.")
    if outcome.earlier_run:
        notes.append(f"The answer of an earlier run, which ended {outcome.earlier_run} UTC.")
    return tuple(notes)
