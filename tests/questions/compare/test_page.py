"""The page of a comparison: its tables, the chart with its data, and the answer in a sentence."""

from __future__ import annotations

import json
import re

from accmine.questions.compare.page import page
from tests.questions.compare.test_report import CHIPS, GAIN, ROWS


def test_it_has_tables_chart_and_the_way_to_the_others_quality() -> None:
    found = page("table", ROWS, [GAIN])
    assert "To the final quality of gp-features wham-like is 15 times as fast (median of 2 studies)" in found
    assert "and slower on 0." in found
    assert "Gap to the bound: throughput" in found
    assert 'aria-label="quality of searches over evaluations and seconds"' in found
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", found)


def test_the_data_are_the_moments_of_all_traces() -> None:
    data = json.loads(re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", page("t", ROWS, []), re.S)[0])
    assert data["rows"] == sum(len(row.trace) for row in ROWS)


def test_without_a_search_that_found_anything_there_is_no_chart() -> None:
    found = page("nothing", [CHIPS], [])
    assert "<svg" not in found
    assert "tpuv2-like" in found
