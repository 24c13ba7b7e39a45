"""The law of a sweep: looser limits give no worse answer, and no better bound, than tighter ones.

Of two points that differ in their limits alone, an answer of one is one of the other if it meets the limits there,
which the run of the other checks; a bound of the looser one holds for the tighter one, which has fewer designs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, isfinite
from pathlib import Path

import numpy as np

from accmine.errors import CheckError, InputError
from accmine.questions.run.folder import RunFolder
from accmine.questions.run.placement.record import PlacementCertificate
from accmine.questions.run.reading import outcome_of, page
from accmine.questions.run.record import Certificate
from accmine.questions.run.row import row_of
from accmine.questions.sweep.record import FAILED, PointRecord
from accmine.result import Status

__all__ = ["donors", "tightened", "with_bound"]

_EQUAL = 1e-9
"""Relative difference that is rounding."""


def donors(group: Sequence[PointRecord]) -> Iterator[tuple[PointRecord, PointRecord]]:
    """Points with the best answer of another that fits and is better than their own.

    Parameters
    ----------
    group
        Points of equal ``like``.
    """
    answers: dict[tuple[object, ...], PointRecord] = {}
    for record in sorted((r for r in group if r.answered), key=lambda r: (r.best, r.number)):
        device = tuple(sorted(record.device.items()))
        answers.setdefault((record.row["area_mm2"], record.row["tdp_w"], device, record.reference_s), record)
    ranked = list(answers.values())
    for record in group:
        if record.status in (Status.INFEASIBLE.value, FAILED):
            continue
        for donor in ranked:
            if not donor.better(record):
                break
            if donor.comparable(record) and donor.fits(record.limits):
                yield record, donor
                break


def tightened(group: Sequence[PointRecord]) -> Iterator[PointRecord]:
    """Points with the bound of a looser one that is better than their own, in their runs as well.

    Raises
    ------
    CheckError
        If an answer is better than a bound that holds for it: one of them is wrong.
    """
    ranked = sorted(group, key=lambda record: -record.bound)  # the best bound first
    bounds = np.array([record.bound for record in ranked])
    keys = sorted({key for record in group for key in record.limits})
    limits = {key: np.array([record.limits.get(key, inf) for record in ranked]) for key in keys}
    for record in group:
        margin = _EQUAL * abs(record.bound) if isfinite(record.bound) else 0.0
        better = int(np.searchsorted(-bounds, -(record.bound + margin)))
        looser = np.ones(better, dtype=bool)
        for key in keys if better else ():
            looser &= limits[key][:better] >= record.limits.get(key, inf) * (1 - _EQUAL)
        donor = next((ranked[i] for i in np.flatnonzero(looser) if ranked[i].comparable(record)), None)
        found = None if donor is None else _with_bound(record, donor)
        if found is not None:
            yield found


def _with_bound(record: PointRecord, donor: PointRecord) -> PointRecord | None:
    """The point with the bound of a looser one; ``None`` where it has no answer that the bound is one of."""
    if not record.answered:
        return None
    if donor.bound > record.best + _EQUAL * abs(record.best):
        raise CheckError(
            f"point {record.number} has the answer {record.row['best']}, which the bound {donor.row['bound']} of point "
            f"{donor.number} with looser limits says there is none of"
        )
    folder = RunFolder(Path(str(record.row["folder"])))
    result = folder.read_json("result.json")
    if result is None:
        raise InputError("the result of a point has gone; compute it again with --again", str(folder.path))
    with folder.using("result.json"):
        outcome = outcome_of(result)
    own, bound = outcome.certificate, donor.row["bound"]
    assert isinstance(bound, int | float)
    worse, better = max(own.objective, bound), min(own.objective, bound)
    gap = (worse - better) / worse if worse > 0 else 0.0
    gap = gap if gap > _EQUAL else 0.0
    method = f"the bound of point {donor.number} of the sweep, whose limits are looser"
    certificate = with_bound(own, bound if gap else own.objective, gap, method)
    proved = {"status": Status.OPTIMAL.value, "stop": "proved"} if gap == 0 else {}
    outcome = replace(outcome, certificate=certificate, **proved)  # type: ignore[arg-type]
    folder.write_text("report.html", page(outcome))
    folder.write_json("result.json", outcome.to_json())
    return replace(record, row=row_of(outcome.to_json()))


def with_bound(
    own: Certificate | PlacementCertificate, bound: float, gap: float, method: str
) -> Certificate | PlacementCertificate:
    """A certificate with a better bound and a smaller gap; what the gap is made of shrinks with it."""
    if isinstance(own, Certificate):  # the bound holds for the printed designs as well
        tighter = min if own.sense == "maximize" else max
        return replace(own, bound=bound, gap=gap, method=method, own_bound=tighter(own.own_bound, bound))
    left, parts = 1 - gap, dict[str, float]()
    for part in ("schedules", "plans", "designs"):
        parts[part] = min(getattr(own, part), 1 - left)
        left /= 1 - parts[part]
    return replace(own, bound=bound, gap=gap, method=method, **parts)  # type: ignore[arg-type]
