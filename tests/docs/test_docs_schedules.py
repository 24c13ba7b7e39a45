"""The page of schedules: its table names all of them, and its example is a problem."""

from __future__ import annotations

import json
import re
from pathlib import Path

from accmine.problems.pipeline_schedule import problem_from_json
from accmine.system import SCHEDULES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")


def test_every_schedule_has_a_row() -> None:
    assert re.findall(r"(?m)^\| `([a-z0-9-]+)` \|", PAGE.split("## Lower bounds")[0]) == list(SCHEDULES)


def test_the_example_is_read() -> None:
    text = PAGE.split("```json\n")[1].split("```")[0]
    assert problem_from_json(json.loads(text)).transfers == ((1, 2),)
