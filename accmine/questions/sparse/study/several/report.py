"""A run over several devices as sections: for a terminal, and for its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from accmine.questions.run.pictures.figures import certificate_figure, progress_figure
from accmine.questions.sparse.study.report import (
    FOLDINGS,
    LAYERS,
    MOST_LAYERS,
    amount,
    band,
    layer_cells,
    run_notes,
    sources,
)
from accmine.questions.sparse.study.rows import SparseLayerRow
from accmine.questions.sparse.study.several.record import OtherSpread, SpreadOutcome
from accmine.report import BULLET, UNKNOWN, Figure, Section, Table, count, figures, number, percent, seconds, texts
from accmine.report.charts.columns import columns

__all__ = ["drawn", "headline", "hero", "sections"]

MOST_WHY = 6
"""Sentences on what binds a device that are printed."""

CHECK = "problem-N.json solution-N.json checks the design of device N again"


def hero(outcome: SpreadOutcome) -> list[Figure]:
    """The figures at the top of the page."""
    own = outcome.certificate
    return [certificate_figure(own.metric, own.unit, None, own.objective, own.bound, own.gap), _devices_figure(outcome)]


def drawn(outcome: SpreadOutcome, trace: Mapping[str, Any] | None = None) -> dict[str, list[Figure]]:
    """The other figures, by the section that they belong to; there is no schedule to draw."""
    del trace
    gap = progress_figure(outcome.trace, "seconds between two images")
    return {"layers": [_layers_figure(outcome)], "certificate": [gap]}


def _devices_figure(outcome: SpreadOutcome) -> Figure:
    """Time of every device beside that of the link behind it."""
    rows, cells = [], []
    for i, own in enumerate(outcome.devices, start=1):
        link = outcome.links[i - 1] if i <= len(outcome.links) else None
        link_s = 0.0 if link is None or link.images_per_s is None else 1 / link.images_per_s
        rows.append((f"{i} {own.name}", 1e6 / own.images_per_s, 1e6 * link_s, own.binds))
        cells.append((i, own.name, own.first, own.last, own.cycles, own.images_per_s, own.loss, own.words, link_s))
    table = Table(("device", "name", "first", "last", "cycles", "images_per_s", "loss", "words", "link_seconds"), cells)
    said = f"Time between two images of {len(rows)} devices, and of the link behind each."
    picture = columns(rows, "µs between two images", "devices in their order", "link behind it")
    return Figure("devices", "Devices", picture, said, table)


def _layers_figure(outcome: SpreadOutcome) -> Figure:
    """Cycles of every layer."""
    rows, cells = [], []
    for i, own in enumerate(outcome.devices, start=1):
        scale = 1e6 / own.frequency_hz
        for row in own.layers:
            rows.append((row.name, scale * row.cycles, scale * row.streams, own.binds and row.name in own.binding))
            cells.append((i, own.name, *asdict(row).values()))
    table = Table(("device", "on", *(field.name for field in fields(SparseLayerRow))), cells)
    picture = columns(rows, "µs between two images", "layers in their order", "by streams alone")
    return Figure(
        "layers", "Time of each layer", picture, f"Time of {len(rows)} layers at the clocks of devices.", table
    )


def headline(outcome: SpreadOutcome) -> str:
    """The answer in a sentence."""
    own = outcome.certificate
    names = " + ".join(row.name for row in outcome.devices)
    value = f"{number(outcome.images_per_s)} images/s on {names}, losing {outcome.loss:g} points"
    made_up = [source.word for source in outcome.sources if source.made_up]
    value += f" ({', '.join(made_up)}: made up)" if made_up else ""
    best = "the most that is possible on these devices in this order under this model"
    return f"{value}: {best}" if own.gap == 0 else f"{value}: at most {percent(own.gap)} below {best}"


def sections(outcome: SpreadOutcome) -> list[Section]:
    """All sections in their order."""
    found = [
        _answer(outcome),
        _devices(outcome),
        _links(outcome),
        _resources(outcome),
        Section("binds", "Why: what binds", notes=_binds(outcome)),
        _beside(outcome),
        _layers(outcome),
        sources(outcome.sources),
        _certificate(outcome),
        Section("warnings", "Warnings", notes=tuple(f"{BULLET}{line}" for line in outcome.warnings)),
        Section("run", "Run", notes=run_notes(outcome, CHECK)),
    ]
    return [section for section in found if section]


def _answer(outcome: SpreadOutcome) -> Section:
    layers = sum(len(own.layers) for own in outcome.devices)
    notes = (
        f"{headline(outcome)}.",
        f"One image every {number(1e6 * outcome.value)} µs; {outcome.network}: {layers} layers, "
        f"{count(outcome.macs)} multiply-accumulates of an image, {count(outcome.parameters)} weights.",
        f"Loss: {outcome.loss:g} of {outcome.loss_limit:g} points, {outcome.loss_is}.",
        f"Status {outcome.status}, stopped: {outcome.stop}.",
    )
    return Section("answer", f"Answer: {outcome.study}", notes=notes)


def _devices(outcome: SpreadOutcome) -> Section:
    rows = []
    for i, own in enumerate(outcome.devices, start=1):
        layers = own.first if own.first == own.last else f"{own.first} to {own.last}"
        cells = (f"{own.cycles:,}", f"{own.frequency_hz / 1e6:g} MHz", number(own.images_per_s), f"{own.loss:g}")
        rows.append((str(i), own.name, layers, str(len(own.layers)), *cells, f"{own.words:,}"))
    titles = (
        *figures("device"),
        *texts("name", "its layers"),
        *figures("layers", "cycles", "clock", "images/s", "loss", "words out"),
    )
    notes = (
        "cycles: between two images, of the device's clock; images/s: of the device by itself; words out: of an image, "
        "to later devices.",
    )
    marked = tuple(i for i, own in enumerate(outcome.devices) if own.binds)
    return Section("devices", "Layers of each device", titles, tuple(rows), notes, marked)


def _links(outcome: SpreadOutcome) -> Section:
    rows = []
    for i, own in enumerate(outcome.links, start=1):
        rate = "any number" if own.words_per_cycle is None else f"{own.words_per_cycle:g}"
        cycles = UNKNOWN if own.cycles is None else f"{own.cycles:,}"
        per_s = UNKNOWN if own.images_per_s is None else number(own.images_per_s)
        rows.append((f"{i} to {i + 1}", f"{own.words:,}", rate, cycles, per_s))
    titles = (*texts("link"), *figures("words", "words per cycle", "cycles", "images/s"))
    marked = tuple(i for i, own in enumerate(outcome.links) if own.binds)
    note = "Words of an image; cycles of the device before the link."
    return Section("links", "Links", titles, tuple(rows), (note,), marked)


def _resources(outcome: SpreadOutcome) -> Section:
    rows = []
    for i, own in enumerate(outcome.devices, start=1):
        for row in own.resources:
            share = percent(row.used / row.device) if row.device else UNKNOWN
            cells = [amount(row.name, value) for value in (row.used, row.allowed, row.device)]
            rows.append((f"{i} {own.name}", row.name, *cells, share, band(row)))
    titles = (
        *texts("device", "resource"),
        *figures("used", "allowed", "device has", "of device"),
        *texts("estimate"),
    )
    told = dict.fromkeys(f"{own.name}: {own.source}." for own in outcome.devices)
    return Section("resources", "Resources", titles, tuple(rows), tuple(told))


def _binds(outcome: SpreadOutcome) -> tuple[str, ...]:
    found = []
    for i, own in enumerate(outcome.devices, start=1):
        if own.binds:
            found += [f"{BULLET}Device {i}, {own.name}: {line}" for line in own.why[:MOST_WHY]]
            if len(own.why) > MOST_WHY:
                found.append(f"{BULLET}Device {i}, {own.name}: {len(own.why) - MOST_WHY} more, in result.json.")
    for i, link in enumerate(outcome.links, start=1):
        if link.binds:
            found.append(
                f"{BULLET}The link from device {i} to {i + 1}: {link.words:,} words of an image at "
                f"{link.words_per_cycle:g} per cycle."
            )
    return tuple(found)


def _beside(outcome: SpreadOutcome) -> Section:
    own = outcome.certificate
    answer = OtherSpread("this answer", outcome.status, own.objective, own.bound, outcome.loss, None, own.solver_s)
    if not outcome.beside:
        return Section("beside", "")
    rows = tuple(_other(row) for row in (answer, *outcome.beside))
    titles = (*texts("layout"), *figures("images/s", "loss", "answer's images/s"), *texts("proof"), *figures("seconds"))
    notes = tuple(f"{row.what}: {row.note}." for row in outcome.beside if row.note)
    return Section("beside", "Same limits and same model", titles, rows, notes, marked=(0,))


def _other(row: OtherSpread) -> tuple[str, ...]:
    if row.images_per_s is None or row.loss is None:
        return (row.what, *(UNKNOWN,) * 3, row.status, seconds(row.seconds))
    proof = "proved" if row.status == "optimal" else "none"
    if row.status != "optimal" and row.bound:
        proof = f"gap {percent(1 - row.images_per_s / row.bound)}"
    ratio = "" if row.ratio is None else f"{number(row.ratio)}×"
    return (row.what, number(row.images_per_s), f"{row.loss:g}", ratio, proof, seconds(row.seconds))


def _layers(outcome: SpreadOutcome) -> Section:
    every = [
        (1e6 * row.cycles / own.frequency_hz, i, own, row)
        for i, own in enumerate(outcome.devices, start=1)
        for row in own.layers
    ]
    slowest = sorted(every, key=lambda item: -item[0])[:MOST_LAYERS]
    rows = tuple((str(i), *layer_cells(row)) for _, i, _, row in slowest)
    left = len(every) - len(rows)
    more = (f"{left} layers that are faster are in result.json, and on the page.",) if left else ()
    marked = tuple(at for at, (_, _, own, row) in enumerate(slowest) if own.binds and row.name in own.binding)
    titles = (*figures("device"), *LAYERS)
    return Section("layers", "Layers, the slowest first", titles, rows, (FOLDINGS, *more), marked)


def _certificate(outcome: SpreadOutcome) -> Section:
    own = outcome.certificate
    interval = (number(1e6 * own.interval_s, 6), number(1e6 * own.bound_s, 6))
    row = (*interval, number(own.objective), number(own.bound), percent(own.gap))
    titles = figures("µs", "bound", "images/s", "no layout above", "gap")
    notes = (
        f"By {own.solver} in {seconds(own.solver_s)}; bound: {own.method}. {own.looked:,} of {own.cuts:,} cuts needed "
        "a look at designs. Cuts, designs and sums were checked by code that shares nothing with the search.",
        "Assumed by objective and bound alike:",
        *(f"{BULLET}{line}" for line in own.assumptions),
    )
    return Section("certificate", "Certificate: time between two images, lower is better", titles, (row,), notes)
