"""What an answer over several devices is worth, and whether it is one: by definition, nothing of the search is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from accmine.problems.sparse_dataflow import Problem, Solution, check, interval_of, loss_of
from accmine.questions.sparse.devices.record import Placed, Site

__all__ = ["device_s", "link_cycles", "link_s", "placed_of", "slowest_s", "wrong_with"]

Rate = Fraction | int | None
"""Words per cycle of the device before a link; ``None``: any number."""


def placed_of(
    problem: Problem, sites: Sequence[Site], firsts: Sequence[int], designs: Sequence[Solution]
) -> list[Placed]:
    """The devices with their layers, of the first layer and the design of each."""
    found, count = list[Placed](), len(problem.layers)
    for site, (first, after), design in zip(sites, pairwise([*firsts, count]), designs, strict=True):
        inside = range(first, after)
        own = replace(
            problem,
            layers=problem.layers[first:after],
            edges=tuple((a - first, b - first) for a, b in problem.edges if a in inside and b in inside),
            budget=replace(site.budget, loss=problem.budget.loss),
        )
        words = sum(
            layer.words[1]
            for source, layer in enumerate(problem.layers[:after])
            if any(a == source and b >= after for a, b in problem.edges)
        )
        cycles, loss = interval_of(own, design), loss_of(own, design)
        found.append(Placed(site.name, first, after - 1, own, design, cycles, loss, words))
    return found


def device_s(site: Site, own: Placed) -> Fraction:
    """Seconds between two images of a device by itself."""
    return own.interval / Fraction(site.frequency_hz)


def link_cycles(own: Placed, rate: Rate) -> int | None:
    """Cycles of a device that the words of an image take which leave it; ``None``: none, at any rate."""
    return None if rate is None else -int(-own.words / Fraction(rate) // 1)


def link_s(site: Site, own: Placed, rate: Rate) -> Fraction:
    """The same in seconds."""
    return (link_cycles(own, rate) or 0) / Fraction(site.frequency_hz)


def slowest_s(sites: Sequence[Site], links: Sequence[Rate], placed: Sequence[Placed]) -> Fraction:
    """Seconds between two images: of the slowest device or link."""
    devices = [device_s(site, own) for site, own in zip(sites, placed, strict=True)]
    between = [link_s(*own) for own in zip(sites[:-1], placed[:-1], links, strict=True)]
    return max([*devices, *between])


def wrong_with(
    problem: Problem, sites: Sequence[Site], links: Sequence[Rate], placed: Sequence[Placed], seconds: Fraction
) -> tuple[str, ...]:
    """Everything wrong with an answer that claims so many seconds between two images, in words."""
    firsts = [own.first for own in placed]
    if (
        len(placed) != len(sites)
        or firsts[:1] != [0]
        or any(a >= b for a, b in pairwise([*firsts, len(problem.layers)]))
    ):
        return (f"layers {firsts} begin {len(placed)} of {len(sites)} devices",)
    wrong = [f"the edge {a} to {b} goes back" for a, b in problem.edges if any(b < first <= a for first in firsts)]
    again = placed_of(problem, sites, firsts, [own.solution for own in placed])
    for site, own, true in zip(sites, placed, again, strict=True):
        wrong += [f"{site.name}: {line}" for line in check(true.problem, true.solution)]
        if own != true:
            wrong.append(f"{site.name}: {own.interval} cycles, {own.loss} lost, {own.words} words are claimed")
    loss, most = sum(own.loss for own in again), problem.budget.loss
    if most is not None and loss > most:
        wrong.append(f"{loss} lost together, {most} are allowed")
    if (true_s := slowest_s(sites, links, again)) != seconds:
        wrong.append(f"{float(seconds):.9g} s claimed, {float(true_s):.9g} s recomputed")
    return tuple(wrong)
