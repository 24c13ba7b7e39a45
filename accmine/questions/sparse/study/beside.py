"""What stands beside the fastest design: a thriftier one, the next of limits, the best dense design, and TPE."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Least, Problem, Solution, interval_of
from accmine.questions.sparse.study import measure
from accmine.questions.sparse.study.parts import Parts
from accmine.questions.sparse.study.rows import BuyRow, OtherDesign, TpeRow
from accmine.questions.sparse.study.worth import Bought, bought
from accmine.result import Result, StopReason
from accmine.solving import solve
from accmine.sparse.layer import POINT
from accmine.study.sparse import SparseInputs, SparseStudy

__all__ = ["Beside", "fill", "first_share"]

FRUGAL, BUYS, DENSE, TPE = "least", "buys", "dense", "tpe"
_FIRST, _SHARE, _BUYS = 0.6, 0.35, 0.6
"""Of the seconds that are left: of the answer, of other designs behind it, and of what more buys."""


@dataclass
class Beside:
    """What is known of the fastest designs beside their interval, as far as it was reached.

    Attributes
    ----------
    found
        Of the designs as fast, the one that takes least of what the study prefers.
    least
        What none as fast is below, in the unit of what is preferred; ``None``: not known.
    """

    found: Solution
    least: float | None = None
    buys: tuple[BuyRow, ...] = ()
    dense: OtherDesign | None = None
    tpe: TpeRow | None = None


def first_share(study: SparseStudy) -> float:
    """Of the budget, for the fastest design."""
    alone = study.prefer == "none" and not study.buys and not study.compare.dense and not study.compare.tpe
    return 1.0 if alone else _FIRST


def fill(
    beside: Beside,
    study: SparseStudy,
    inputs: SparseInputs,
    problem: Problem,
    result: Result[Solution],
    parts: Parts,
) -> None:
    """Fill in what a study asks for, one after the other.

    Parameters
    ----------
    result
        The fastest design, with its bound.

    Raises
    ------
    KeyboardInterrupt
        If one came; what was reached stays.
    """
    clock = inputs.device.frequency_hz
    if study.prefer != "none":
        parts.watch.step(f"the least {study.prefer} of the fastest designs")
        scale = POINT if study.prefer == "loss" else 1
        beside.found, least = _frugal(FRUGAL, study, problem, beside.found, parts)[:2]
        beside.least = None if least is None else least / scale
    cycles = interval_of(problem, beside.found)
    if study.compare.dense:
        parts.watch.step("the best dense design")
        beside.dense = _dense(study, inputs, problem, cycles, parts)
    if study.buys:
        parts.watch.step("what more of the limits buys")
        stop, seed = parts.stop(_BUYS), parts.budget.seed
        key = f"{BUYS}-{cycles}"
        found = parts.rows(key, Bought, lambda: bought(problem, result, study.buys, clock, stop, seed))
        beside.buys = found.rows
    if study.compare.tpe:
        parts.watch.step("TPE on the same problem")
        beside.tpe = parts.rows(f"{TPE}-{cycles}", TpeRow, lambda: _tpe(study, inputs, problem, cycles, parts))


def _frugal(
    key: str, study: SparseStudy, problem: Problem, found: Solution, parts: Parts
) -> tuple[Solution, int | None, float]:
    """(of the designs as fast, the one that takes least of what is preferred; its bound; seconds)."""
    assert study.prefer != "none"
    interval = interval_of(problem, found)
    own = replace(problem, least=Least(study.prefer, interval))
    result, took = parts.solve(f"{key}-{interval}", own, share=_SHARE, hint=found)
    _heard(result)
    return result.solution or found, None if result.bound is None else int(result.bound), took


def _dense(study: SparseStudy, inputs: SparseInputs, problem: Problem, cycles: int, parts: Parts) -> OtherDesign:
    """The best dense design, by the same solver and with the same preference."""
    own = measure.dense_problem(problem, inputs)
    result, took = parts.solve(DENSE, own, share=_SHARE)
    _heard(result)
    if study.prefer in ("none", "loss") or result.solution is None:
        return measure.other_of(measure.DENSE_ONLY, own, result, inputs.device.frequency_hz, cycles, took)
    found, _, more = _frugal(f"{DENSE}_{FRUGAL}", study, own, result.solution, parts)
    thrifty = replace(result, solution=found)
    return measure.other_of(measure.DENSE_ONLY, own, thrifty, inputs.device.frequency_hz, cycles, took + more)


def _tpe(study: SparseStudy, inputs: SparseInputs, problem: Problem, cycles: int, parts: Parts) -> tuple[TpeRow, bool]:
    begin, trials = time.monotonic(), study.compare.tpe
    try:
        result = solve(problem, "tpe", stop=parts.stop(work=trials), seed=parts.budget.seed)
    except InputError as error:  # what it needs is an extra; without it there is an answer all the same
        return measure.no_tpe(error.complaints[0].message), False
    _heard(result)
    row = measure.tpe_of(problem, result, inputs.device.frequency_hz, cycles, time.monotonic() - begin)
    return row, row.trials >= trials


def _heard(result: Result[Solution]) -> None:
    """Go on with the interrupt that a solver answered with what it has."""
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
