"""Outcomes from JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from accmine.errors import InputError
from accmine.questions.gap.record import GapRow
from accmine.questions.run.record import Outcome
from accmine.questions.run.report import render
from accmine.report import from_json, to_json
from tests.samples.report_sample import common, odd, pipeline, single


@pytest.mark.parametrize("make", [single, pipeline, common])
def test_round_trip_through_a_file(make: Any) -> None:
    outcome = make()
    data = json.loads(json.dumps(outcome.to_json(), allow_nan=False))
    again = from_json(Outcome, data)
    assert again.to_json() == outcome.to_json()
    assert render(again) == render(outcome)
    if make is not single:  # single holds NaN, which equals nothing
        assert again == outcome


@settings(max_examples=40, deadline=None)
@given(odd())
def test_any_outcome_round_trips(outcome: Outcome) -> None:
    assert from_json(Outcome, outcome.to_json()).to_json() == outcome.to_json()


def test_null_becomes_unknown() -> None:
    outcome = replace(single(), value=math.inf)
    assert outcome.to_json()["value"] is None
    assert math.isnan(from_json(Outcome, outcome.to_json()).value)
    assert from_json(Outcome, outcome.to_json()).trace[0][2] is None


def test_defaults_may_be_left_out() -> None:
    data = single().to_json()
    for name in ("trace", "versions", "folder"):
        del data[name]
    assert from_json(Outcome, data).folder == ""


def _without_value(data: dict[str, Any]) -> None:
    del data["value"]


def _extra(data: dict[str, Any]) -> None:
    data["limits"][1]["colour"] = "red"


def _text_for_number(data: dict[str, Any]) -> None:
    data["stages"][0]["time_split"]["fill_s"] = "much"


def _bool_for_integer(data: dict[str, Any]) -> None:
    data["workloads"][0]["batch"] = True


def _number_for_list(data: dict[str, Any]) -> None:
    data["baselines"] = 3


def _three_layers(data: dict[str, Any]) -> None:
    data["stages"][0]["layers"] = ["a", "b", "c"]


def _list_for_object(data: dict[str, Any]) -> None:
    data["seconds"] = []


def _number_for_bool(data: dict[str, Any]) -> None:
    data["limits"][0]["active"] = 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_value, "missing: value"),
        (_extra, r"limits\[1\]: unknown colour"),
        (_text_for_number, r"stages\[0\]\.time_split\.fill_s: 'much' where a number or null is needed"),
        (_bool_for_integer, r"workloads\[0\]\.batch: True where an integer is needed"),
        (_number_for_list, "baselines: 3 where a list is needed"),
        (_three_layers, r"stages\[0\]\.layers: Tuple should have at most 2 items"),
        (_list_for_object, "seconds: .* where an object is needed"),
        (_number_for_bool, r"limits\[0\]\.active: 1 where true or false is needed"),
    ],
)
def test_wrong_files_are_refused_by_field(spoil: Any, message: str) -> None:
    data = single().to_json()
    spoil(data)
    with pytest.raises(InputError, match=message):
        from_json(Outcome, data)
    with pytest.raises(InputError, match="where an object is needed"):
        from_json(Outcome, [data])


def test_everything_wrong_is_said_at_once_with_the_file() -> None:
    data = single().to_json()
    _without_value(data)
    _bool_for_integer(data)
    with pytest.raises(InputError) as caught:
        from_json(Outcome, data, "runs/x/result.json")
    assert str(caught.value).splitlines() == [
        "runs/x/result.json: missing: value",
        "runs/x/result.json: workloads[0].batch: True where an integer is needed",
    ]


def test_reading_leaves_the_data_as_it_is() -> None:
    data = replace(single(), value=math.inf).to_json()
    from_json(Outcome, data)
    assert data["value"] is None


def test_records_of_any_kind() -> None:
    row = GapRow(
        "s", options={"top_k": 3, "order": "best"}, trace=((0.5, None, 2.0),), designs=("a", "b"), best=math.inf
    )
    assert to_json(row)["options"] == {"top_k": 3, "order": "best"}
    assert to_json(row)["trace"] == [[0.5, None, 2.0]]
    assert to_json(row)["best"] is None
    assert from_json(GapRow, to_json(row)) == replace(row, best=None)
