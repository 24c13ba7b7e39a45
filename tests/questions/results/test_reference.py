"""What columns and keys mean is said of every one of an outcome."""

from __future__ import annotations

import re
from dataclasses import fields

from accmine.questions.results.reference import results_reference
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.record import Certificate, Outcome, StageRow
from accmine.questions.run.row import COLUMNS
from accmine.questions.run.several.front_record import FrontOutcome


def sections() -> dict[str, dict[str, tuple[str, str]]]:
    parts = re.split(r"^#+ (.*)$", results_reference(), flags=re.MULTILINE)
    rows = [re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", part, flags=re.MULTILINE) for part in parts[2::2]]
    return {title: {row[0]: row[1:] for row in found} for title, found in zip(parts[1::2], rows, strict=True)}


def test_every_column_and_key_is_there() -> None:
    found = sections()
    assert list(found["Columns of `accmine results`"])[3:] == [column.name for column in COLUMNS]
    for kind in (Outcome, PlacementOutcome, FrontOutcome, Certificate, StageRow):
        assert list(found[kind.__name__]) == [field.name for field in fields(kind)]
    assert [
        (title, key) for title, keys in found.items() for key, (_, words) in keys.items() if not words.strip()
    ] == []


def test_types_and_words() -> None:
    found = sections()["Outcome"]
    assert found["format"] == ("integer", "Version of these keys; a newer one than the reader's is refused.")
    assert found["designs"][0] == "list of [ChosenDesign](#chosendesign)"
    assert found["nearest"][0] == "[Nearest](#nearest) or null"
    assert found["chips"][0] == "integer or null"
    assert found["seconds"][0] == "object of number"
    assert found["tdp_error"][1] == "As `area_error`, around every TDP."
    assert sections()["Certificate"]["evaluated_designs"][1].startswith("Size of the space within the limits")
