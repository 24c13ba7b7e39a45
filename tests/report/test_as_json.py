"""Outcomes from JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from accmine.errors import InputError
from accmine.questions.run.record import Outcome
from accmine.questions.run.report import render
from accmine.report.as_json import outcome_from_json
from tests.samples.report_sample import common, odd, pipeline, single


@pytest.mark.parametrize("make", [single, pipeline, common])
def test_round_trip_through_a_file(make: Any) -> None:
    outcome = make()
    data = json.loads(json.dumps(outcome.to_json(), allow_nan=False))
    again = outcome_from_json(data)
    assert again.to_json() == outcome.to_json()
    assert render(again) == render(outcome)
    if make is not single:  # single holds NaN, which equals nothing
        assert again == outcome


@settings(max_examples=40, deadline=None)
@given(odd())
def test_any_outcome_round_trips(outcome: Outcome) -> None:
    assert outcome_from_json(outcome.to_json()).to_json() == outcome.to_json()


def test_null_becomes_unknown() -> None:
    outcome = replace(single(), value=math.inf)
    assert outcome.to_json()["value"] is None
    assert math.isnan(outcome_from_json(outcome.to_json()).value)
    assert outcome_from_json(outcome.to_json()).trace[0][2] is None


def test_defaults_may_be_left_out() -> None:
    data = single().to_json()
    for name in ("trace", "versions", "folder"):
        del data[name]
    assert outcome_from_json(data).folder == ""


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
        (_extra, r"limits\[1\]: unknown colour; allowed: name, limit"),
        (_text_for_number, r"stages\[0\]\.time_split\.fill_s: 'much' where a number or null is needed"),
        (_bool_for_integer, r"workloads\[0\]\.batch: True where an integer is needed"),
        (_number_for_list, "baselines: 3 where a list is needed"),
        (_three_layers, r"stages\[0\]\.layers: 3 items where 2 are needed"),
        (_list_for_object, "seconds: .* where an object is needed"),
        (_number_for_bool, r"limits\[0\]\.active: 1 where true or false is needed"),
    ],
)
def test_wrong_files_are_refused_by_field(spoil: Any, message: str) -> None:
    data = single().to_json()
    spoil(data)
    with pytest.raises(InputError, match=message):
        outcome_from_json(data)
    with pytest.raises(InputError, match="where an object is needed"):
        outcome_from_json([data])
