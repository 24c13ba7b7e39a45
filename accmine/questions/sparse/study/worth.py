"""What more of the limits of a study buys, as rows of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Problem, Solution
from accmine.questions.sparse.buys import Purchase, buys
from accmine.questions.sparse.study.record import BuyRow, BuyStep
from accmine.report import number
from accmine.result import Result
from accmine.sparse.layer import POINT

__all__ = ["BUDGET_OF", "Bought", "bought", "buy_row", "said", "settled"]

BUDGET_OF = {"bandwidth": "bits_per_cycle"}
"""Limit of a study -> budget of the problem, where it is called otherwise."""

_NAMES = {"dsp": "DSPs", "lut": "LUTs", "ff": "FFs", "bram18": "BRAM18", "uram": "URAM", "bandwidth": "Gbit/s"}


def buy_row(name: str, own: Purchase, frequency_hz: float) -> BuyRow:
    """A purchase in the units of a study: blocks, bits per second, points, and images per second."""
    scale = 1 / POINT if name == "loss" else frequency_hz / 1e9 if name == "bandwidth" else 1.0
    unit = "points" if name == "loss" else _NAMES[name]
    steps = tuple(
        BuyStep(
            float(step.budget) * scale,
            float(step.least) * scale,
            frequency_hz / step.interval,
            frequency_hz / max(1, step.bound),
        )
        for step in own.steps
    )
    bound = None if own.bound is None else float(own.bound) * scale
    return BuyRow(name, unit, float(own.budget) * scale, own.binds, steps, bound)


def settled(rows: Sequence[BuyRow]) -> bool:
    """Whether nothing about the rows is left open."""
    return all(
        row.binds is False or (row.steps and all(step.amount == step.least for step in row.steps)) for row in rows
    )


def said(row: BuyRow, images_per_s: float) -> str:
    """A row in a sentence."""
    what = row.unit if row.name != "loss" else "points of loss"
    has = f"{number(row.has, 7)} {what}"
    if row.binds is False:
        return f"{has}: no amount more makes a design faster; it does not bind."
    if not row.steps:
        least = 1 / POINT if row.name == "loss" else 1  # that is more at all
        known = "" if row.bound is None or row.bound <= row.has + least else f"; below {number(row.bound, 7)} none is"
        return f"{has}: whether more makes a design faster was not decided in time{known}."
    step = row.steps[0]
    gain = 100 * (step.images_per_s / images_per_s - 1)
    exact = step.amount == step.least
    least = "the least with which a design is faster" if exact else f"with less than {number(step.least, 7)} none is"
    return (
        f"{has}: with {number(step.amount, 7)} ({number(step.amount - row.has, 4)} more; {least}) "
        f"{number(step.images_per_s, 6)} images/s, {gain:+.3g} %."
    )


@dataclass(frozen=True)
class Bought:
    """What more of some limits buys, as a run keeps it."""

    rows: tuple[BuyRow, ...]


def bought(
    problem: Problem, result: Result[Solution], names: Sequence[str], frequency_hz: float, stop: Stop, seed: int
) -> tuple[Bought, bool]:
    """The next step of each of some limits of a study, and whether nothing is left open."""
    asked = {BUDGET_OF.get(name, name): name for name in names}
    found = buys(problem, result, names=list(asked), steps=1, reach=Fraction(0), stop=stop, seed=seed)
    rows = tuple(buy_row(asked[own.name], own, frequency_hz) for own in found)
    return Bought(rows), settled(rows)
