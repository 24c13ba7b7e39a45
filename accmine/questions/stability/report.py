"""The text of ``accmine stability``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from textwrap import indent

from accmine.questions.stability.cases import MORE
from accmine.questions.stability.record import ConstantRow, Stability, Winner
from accmine.report import Section, figures, number, percent, table, texts

__all__ = ["render"]

SHOWN = 8
"""Constants and winners listed; the rest is counted, and in the JSON. Of pipelines half as many."""

_LIMITS = {"area": "the area limit", "tdp": "the TDP limit", "floor": "the throughput floor"}


def render(found: Stability, width: int | None = None) -> str:
    """The report as text; ``width`` as ``accmine.report.table``."""
    lines = [
        *_answer(found),
        "",
        *_winners(found, width),
        "",
        *_constants(found, width),
        "",
        *_certificate(found),
        "",
        *_method(found),
    ]
    return "\n".join(lines)


def _answer(found: Stability) -> Iterator[str]:
    low, high = found.interval
    early = " (interrupted: fewer schedules than asked for are behind it)" if found.interrupted else ""
    yield f"── Decision stability: {found.study}{early} ──"
    for name in found.designs:
        yield f"  {name}"
    yield (
        f"  Within {percent(found.tolerance)} of the best in {found.within} of {found.draws} draws: "
        f"{percent(found.share)} ± {percent(found.standard_error)} (standard error; "
        f"95 % interval {percent(low)} to {percent(high)})."
    )
    if found.draws < found.asked:
        yield f"  Interrupted: {found.draws} of {found.asked} draws are counted."
    elif found.draws < 200:
        yield "  Fewer than 200 draws: the standard error says how little that is."
    if found.outside_limits:
        parts = ", ".join(f"{_LIMITS[name]} in {count}" for name, count in found.outside.items())
        yield (
            f"  It breaks a limit in {found.outside_limits} of {found.draws} draws, counted as not within ({parts})."
        )
    else:
        yield "  It meets every limit in all draws."
    if found.share_where_it_fits is not None:
        yield (
            f"  Where it meets the limits: within in {percent(found.share_where_it_fits)} of the draws; "
            f"behind the best by {percent(found.median_regret)} (median), {percent(found.worst_regret)} (most)."
        )
    if found.nothing_fits:
        yield f"  In {found.nothing_fits} draws none of the designs compared meets the limits."
    behind = found.nominal_regret
    if behind is None:
        yield "  With the constants as they are it breaks a limit under this effort."
    elif behind > found.tolerance:
        yield (
            f"  With the constants as they are it is {percent(behind)} behind the best of the designs compared: "
            "a longer search would answer otherwise."
        )
    else:
        yield f"  With the constants as they are, scheduled like the draws, it is {percent(behind)} behind the best."


def _winners(found: Stability, width: int | None) -> Iterator[str]:
    yield "── Best in the draws ──"
    near = any(winner.near is not None for winner in found.winners)
    most = SHOWN if len(found.pool) == 1 else SHOWN // 2
    listed = [w for i, w in enumerate(found.winners) if i < most or w.chosen or w.share == 0]
    heads = (*figures("best in", *(["near in"] if near else []), "area mm²", "TDP W"), *texts("design"))
    yield _indented(
        Section("winners", "Best in the draws", heads, tuple(r for w in listed for r in _winner(w, near))), width
    )
    left = len(found.winners) - len(listed)
    if left:
        yield f"  … and {left} more"
    if near:
        yield (
            "  best in, near in: share of the draws in which it is the best, or meets the limits within "
            f"{percent(found.tolerance)} of the best."
        )
        steady = max(found.winners, key=lambda winner: winner.near or 0.0)
        if (steady.near or 0.0) > found.share:
            name = ", ".join(steady.designs)
            yield (
                f"  The safer choice among these: {name} is near the best in {percent(steady.near)}, the answer in "
                f"{percent(found.share)}."
            )


def _winner(winner: Winner, near: bool) -> Iterator[tuple[str, ...]]:
    shares = (percent(winner.share), *([percent(winner.near)] if near else []))
    for i, (name, area, tdp) in enumerate(zip(winner.designs, winner.area_mm2, winner.tdp_w, strict=True)):
        first = shares if i == 0 else ("",) * len(shares)
        mark = "  (the answer)" if winner.chosen and i == 0 else ""
        yield (*first, number(area), number(tdp), name + mark)


def _constants(found: Stability, width: int | None) -> Iterator[str]:
    yield "── What flips it: each constant at both ends of its band, all others nominal ──"
    flipping = [row for row in found.constants if row.flips]
    matter = [row for row in found.constants if row.matters]
    if flipping:
        more = f" and {len(flipping) - SHOWN} more" if len(flipping) > SHOWN else ""
        yield f"  Alone it is flipped by {', '.join(row.name for row in flipping[:SHOWN])}{more}."
    else:
        yield (
            "  No constant flips it alone: only several together do." if found.share < 1 else "  No constant flips it."
        )
    ordered = [*flipping, *sorted((r for r in matter if not r.flips), key=lambda r: -abs(r.correlation))]
    heads = (*texts("constant"), *figures("band", "behind at low", "behind at high", "rank corr."))
    yield _indented(Section("constants", "What flips it", heads, tuple(map(_constant, ordered[:SHOWN]))), width)
    left = len(matter) - len(ordered[:SHOWN])
    if left > 0:
        yield f"  … and {left} more that change a time, an area or a TDP."
    for row in flipping[: SHOWN // 2] if len(found.pool) == 1 else ():
        yield from _instead(row)
    idle = [row.name for row in found.constants if not row.matters]
    if idle:
        yield f"  Drawn, but nothing compared here depends on it: {', '.join(idle)}."
    noise = 2 / max(1, found.draws) ** 0.5
    yield (
        "  rank corr.: Spearman's, of the constant with how far the answer is behind, over the draws; "
        f"below ± {number(noise, 2)} it is noise."
    )


def _indented(section: Section, width: int | None) -> str:
    return indent(table(section, None if width is None else width - 2), "  ")


def _constant(row: ConstantRow) -> tuple[str, ...]:
    timing = row.name.startswith("timing.")
    band = f"{number(row.low, 3)} … {number(row.high, 3)}" if timing else f"× {row.low:.2f} … {row.high:.2f}"
    ends = [_behind(row, i) for i in range(2)]
    return (row.name, band, *ends, f"{row.correlation:+.2f}")


def _behind(row: ConstantRow, end: int) -> str:
    if row.regret[end] == inf:
        return f"over {', '.join(row.broken[end])}"
    return percent(row.regret[end])


def _instead(row: ConstantRow) -> Iterator[str]:
    for which, names in zip(("low", "high"), row.instead, strict=False):
        if names:
            yield f"  {row.name} at its {which} end: {_once(names)} instead"


def _once(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _certificate(found: Stability) -> Iterator[str]:
    yield "── Beside it, and not to be added: the certificate of the answer ──"
    nominal = found.nominal
    if nominal is None:
        yield "  No certificate."
        return
    unit = f" {nominal.unit}" if nominal.unit else ""
    yield (
        f"  {nominal.metric} {number(nominal.objective)}{unit}, bound {number(nominal.bound)}{unit}, "
        f"gap {percent(nominal.gap)} ({nominal.status})"
    )
    yield "  The gap is proven over the whole design space, for the constants exactly as they are in the files."
    yield "  The share above is an estimate over the bands of the constants, among the designs that were compared."


def _method(found: Stability) -> Iterator[str]:
    compared = " + ".join(str(count) for count in found.pool)
    yield (
        f"  {compared} designs compared under technology {found.technology}; seed {found.seed}; "
        f"{number(found.seconds)} s beside the run."
    )
    yield (
        "  Times are those of schedules whose order is kept while durations move: three of each task and design, and "
        f"up to {MORE} more of the {found.refined} that may be the best."
    )
    if found.checks:
        moves = [again - counted for counted, again in found.checks]
        sides = sum((a <= found.tolerance) != (b <= found.tolerance) for a, b in found.checks)
        yield (
            f"  {len(moves)} draws in which it is not the best, with both designs scheduled for the draw: "
            f"how far it is behind moves by {100 * min(moves):+.2g} to {100 * max(moves):+.2g} points; "
            f"{sides} would count differently."
        )
    if found.interrupted:
        effort = "" if found.refined else ", from three quick schedules of every design"
        yield f"  Interrupted: {found.draws} of {found.asked} draws{effort}."
    if found.folder:
        yield f"  {found.folder}/stability.json"
