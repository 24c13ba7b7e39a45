"""Who may hand an answer or a bound to whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.errors import CheckError
from accmine.questions.run.placement.record import PlacementCertificate
from accmine.questions.run.record import Certificate
from accmine.questions.run.row import row_of
from accmine.questions.sweep.record import PointRecord
from accmine.questions.sweep.settle import donors, tightened, with_bound
from tests.samples.report_sample import pipeline, single


def record(
    number: int, area: float, best: float | None, bound: float = 200.0, used: float | None = None, **more: Any
) -> PointRecord:
    """A point with a limit of area, an answer in samples/s and what it uses."""
    status = "unknown" if best is None else more.pop("status", "feasible")
    certificate = {"objective": best, "bound": bound, "sense": "maximize", "metric": "throughput", "unit": "samples/s"}
    table = {"status": status, "certificate": certificate, "area_mm2": area if used is None else used, "tdp_w": 1.0}
    return PointRecord(number, {}, row_of(table), "same", limits={"limits.area": area}, **more)


def test_a_better_answer_goes_to_all_points_that_it_fits() -> None:
    tight, middle, loose = record(0, 100, 50.0), record(1, 200, 40.0), record(2, 300, None)
    assert [(to.number, by.number) for to, by in donors([tight, middle, loose])] == [(1, 0), (2, 0)]
    smaller = record(3, 300, 90.0, used=150.0)
    found = [(to.number, by.number) for to, by in donors([tight, middle, smaller])]
    assert found == [(1, 3)], "an answer of a looser point as well, where it meets the tighter limit"


def test_no_answer_goes_to_another_question_or_other_references() -> None:
    tight, loose = record(0, 100, 50.0), record(1, 200, 40.0)
    assert list(donors([tight, replace(loose, like="other")])) == []
    assert list(donors([replace(tight, reference_s=(1.0,)), replace(loose, reference_s=(2.0,))])) == []
    for status in ("infeasible", "failed"):
        assert list(donors([tight, replace(loose, row={**loose.row, "status": status})])) == []
    assert list(donors([record(0, 100, 50.0), record(1, 200, 50.0 * (1 + 1e-12))])) == [], "rounding is no difference"


def test_of_minimised_values_the_smaller_is_better() -> None:
    rows = [record(0, 100, 4.0), record(1, 200, 5.0)]
    rows = [replace(row, row={**row.row, "sense": "minimize"}) for row in rows]
    assert [(to.number, by.number) for to, by in donors(rows)] == [(1, 0)]


def test_an_answer_above_a_bound_that_holds_for_it_is_a_defect() -> None:
    with pytest.raises(CheckError, match=r"point 0 .* point 1"):
        list(tightened([record(0, 100, 90.0, bound=120.0), record(1, 200, 50.0, bound=80.0)]))


def test_bounds_go_to_tighter_points_only() -> None:
    assert list(tightened([record(0, 100, 50.0, bound=80.0), record(1, 200, 90.0, bound=120.0)])) == []
    apart = replace(record(1, 200, 50.0, bound=80.0), limits={"limits.tdp": 10.0})
    assert list(tightened([record(0, 100, 50.0, bound=120.0), apart])) == [], "limits of which neither is looser"


def test_an_answer_that_is_too_large_for_each_device_does_not_hide_one_that_is_not() -> None:
    best, second = record(0, 100, 90.0), record(1, 100, 80.0)
    best = replace(best, device={"device_limits.area": 60.0})
    second = replace(second, device={"device_limits.area": 50.0})
    small = replace(record(2, 100, 70.0), limits={"limits.area": 100.0, "device_limits.area": 50.0})
    assert [(to.number, by.number) for to, by in donors([best, second, small])] == [(1, 0), (2, 1)]


def test_a_better_bound_holds_for_the_printed_designs_too() -> None:
    for outcome in (single(), pipeline()):
        own = outcome.certificate
        bound = (own.objective + own.own_bound) / 2
        found = with_bound(own, bound, (bound - own.objective) / bound, "m")
        assert isinstance(found, Certificate)
        assert (found.bound, found.own_bound, found.method) == (bound, bound, "m")
    least = with_bound(replace(single().certificate, sense="minimize", own_bound=1.0), 2.0, 0.5, "m")
    assert isinstance(least, Certificate)
    assert least.own_bound == 2.0


def test_parts_of_a_smaller_gap_multiply_to_it() -> None:
    own = PlacementCertificate(50.0, 100.0, 0.5, 0.2, 0.1, 1 - 0.5 / 0.72, 1, 1, "own", 1, 1, (), ())
    for bound, gap, parts in ((60.0, 1 / 6, (1 / 6, 0.0, 0.0)), (80.0, 0.375, (0.2, 0.1, 1 - 0.625 / 0.72))):
        found = with_bound(own, bound, gap, "m")
        assert isinstance(found, PlacementCertificate)
        assert (found.schedules, found.plans, found.designs) == pytest.approx(parts)
