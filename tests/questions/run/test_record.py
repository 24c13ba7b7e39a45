"""Records of a run."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

from accmine.questions.run.record import Outcome
from tests.samples.report_sample import pipeline, single


def test_json_has_every_field_in_order_and_nothing_that_is_not_json() -> None:
    table = pipeline().to_json()
    assert list(table) == [field.name for field in fields(Outcome)]
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_what_is_not_finite_is_null_at_any_depth() -> None:
    certificate = replace(single().certificate, bound=math.inf)
    table = replace(single(), certificate=certificate, trace=((0.5, None, math.nan),)).to_json()
    assert table["certificate"]["bound"] is None
    assert table["trace"] == [[0.5, None, None]]
