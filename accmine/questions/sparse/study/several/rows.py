"""What was found over several devices, as rows of its outcome."""

from __future__ import annotations

from collections.abc import Sequence

from accmine.questions.sparse.devices import Placed, Site, Spread
from accmine.questions.sparse.devices.rules import device_s, link_cycles, link_s
from accmine.questions.sparse.study import measure
from accmine.questions.sparse.study.rows import LevelSource
from accmine.questions.sparse.study.several.record import LinkRow, PlacedRow, SpreadCertificate
from accmine.questions.sparse.study.several.solved import Solved, Task
from accmine.sparse.device import Device
from accmine.sparse.layer import POINT
from accmine.study.sparse import Shares, SparseInputs, SparseStudy

__all__ = ["certificate", "link_rows", "placed_rows", "warnings"]


def placed_rows(study: SparseStudy, inputs: SparseInputs, task: Task, found: Spread) -> tuple[PlacedRow, ...]:
    """Each device with its layers."""
    shares = [study.shares(own) for own in study.sites]
    given = zip(shares, inputs.devices, task.sites, found.placed, strict=True)
    return tuple(_placed(*own, found) for own in given)


def _placed(shares: Shares, device: Device, site: Site, own: Placed, found: Spread) -> PlacedRow:
    problem, design = own.problem, own.solution
    rows = measure.layer_rows(problem, design)
    binding, why = measure.binds_of(problem, design, rows)
    resources = measure.resource_rows(shares, device, problem, design, 1 / found.seconds)
    return PlacedRow(
        name=device.name,
        source=device.source,
        frequency_hz=device.frequency_hz,
        first=problem.layers[0].name,
        last=problem.layers[-1].name,
        cycles=own.interval,
        images_per_s=float(1 / device_s(site, own)),
        loss=own.loss / POINT,
        words=own.words,
        binds=device_s(site, own) == found.exact_s,
        binding=binding,
        why=why,
        resources=tuple(resources),
        layers=tuple(rows),
    )


def link_rows(task: Task, found: Spread) -> tuple[LinkRow, ...]:
    """Each link from a device to the next."""
    rows = []
    for site, own, rate in zip(task.sites[:-1], found.placed[:-1], task.links, strict=True):
        seconds, cycles = link_s(site, own, rate), link_cycles(own, rate)
        words = None if rate is None else float(rate)
        rows.append(
            LinkRow(own.words, words, cycles, float(1 / seconds) if seconds else None, seconds == found.exact_s)
        )
    return tuple(rows)


def certificate(task: Task, result: Solved) -> SpreadCertificate:
    """How good an answer is."""
    found = result.found
    assert found.exact_s is not None
    least_s = found.exact_bound_s or found.exact_s  # of an answer a bound is always known
    clocks = ", ".join(f"{site.frequency_hz / 1e6:g} MHz on {site.name}" for site in dict.fromkeys(task.sites))
    return SpreadCertificate(
        metric="throughput",
        unit="images/s",
        sense="maximize",
        objective=1 / found.seconds,
        bound=float(1 / least_s),
        gap=float(1 - least_s / found.exact_s),
        interval_s=found.seconds,
        bound_s=float(least_s),
        method="for every cut, the fastest design of each part and its least loss at an interval, chosen together",
        solver="bisection of each part, stage-selection of what each takes of the loss",
        solver_s=result.seconds,
        cuts=found.cuts,
        looked=found.looked,
        assumptions=(
            *measure.assumptions_of(task.problem, clocks, added=True),
            "Each device has at least one layer, and layers that follow one another; only where every edge goes "
            "forward is a cut.",
            "Not counted: adapters between layers on different devices, the logic of links, and memory for words that "
            "wait for a later device.",
        ),
    )


def warnings(sources: Sequence[LevelSource], rows: Sequence[PlacedRow]) -> tuple[str, ...]:
    """What a reader has to know first."""
    said = [f"Levels are {own.word}: {own.meaning}." for own in sources if own.made_up]
    for i, own in enumerate(rows, start=1):
        beyond = [row for row in own.resources if row.used <= row.device < row.most]
        said += [
            f"{row.name.upper()}: at the upper end of the band the design does not fit device {i}, {own.name}."
            for row in beyond
        ]
    return tuple(said)
