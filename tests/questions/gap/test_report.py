"""Tables of gaps: what they say, what they never say, and a CSV with all of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from accmine.questions.gap.record import WHOLE, GapRow
from accmine.questions.gap.report import COLUMNS, as_csv, as_json, solution_text, study_text, suite_text
from tests.samples.gap_sample import KEYS, rows

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gap.md"


def everything() -> list[GapRow]:
    return [row for case in KEYS for row in rows(case)]


def varied() -> list[GapRow]:
    """Runs with two values of an option and two gaps."""
    first = rows("one device")[0]
    second = replace(
        first, options=dict(first.options) | {"hysteresis": 7}, gap_before=0.5, finished=False, reused=True
    )
    return [first, second]


def test_csv_has_every_column_and_value_in_full() -> None:
    found = list(csv.DictReader(StringIO(as_csv(everything()))))
    assert len(found) == len(everything())
    for table, row in zip(found, everything(), strict=True):
        assert tuple(table) == COLUMNS
        assert float(table["bound"]) == row.bound
        assert float(table["gap_after"]) == row.gap_after
        assert table["option.top_k"] == str(row.options["top_k"])
        assert table["option.bound_pruning"] == "true"
        assert table["designs"] == "; ".join(row.designs)
        assert table["feasible_designs"] == ("" if row.part != WHOLE else str(row.feasible_designs))


def test_columns_of_the_csv_are_documented() -> None:
    documented = PAGE.read_text(encoding="utf-8")
    for name in COLUMNS:
        assert f"| `{name.partition('.')[0] + '.*' if name.startswith('option.') else name}` |" in documented, name


def test_json_is_plain() -> None:
    table = as_json(everything())
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert [entry["study"] for entry in table["heuristic_range"]] == list(KEYS)


@pytest.mark.parametrize("found", [everything, varied], ids=["studies", "options"])
def test_no_sentence_says_how_far_wham_is(found: object) -> None:
    given: Sequence[GapRow] = found()  # type: ignore[operator]
    for text in (study_text(given), suite_text(given)):
        assert "optimal" not in " ".join(line for line in text.splitlines() if "wham" in line.lower())
        assert "WHAM" not in text


def test_the_range_over_options_is_said() -> None:
    text = " ".join(study_text(varied(), width=200).split())
    low = 100 * (varied()[0].gap_before or 0.0)
    assert f"wham-like, over its options: gap between {float(f'{low:.2e}'):g} % and 50 % (throughput, 2 runs)." in text
    assert "hysteresis" in text
    assert "top k" not in text  # the same in all runs
    assert "wham-like was ended by its share of the budget in 1 of its runs" in text
    assert "1 of 2 runs read from their run folders" in text


def test_stages_and_wholes_are_told_apart() -> None:
    text = study_text(rows("pipeline per TDP"), width=200)
    assert "Whole: throughput per TDP [samples/s/W], more is better." in text
    assert "Stages: busy time of a step × TDP [J], less is better." in text
    assert text.count("gpt/stage") == 2


def test_a_row_without_values_has_its_reason() -> None:
    empty = GapRow(study="large", metric="throughput", note="needs tensor parallel")
    assert "needs tensor parallel" in study_text([empty])
    text = suite_text([*varied(), empty], width=200)
    line = next(line for line in text.splitlines() if line.lstrip().startswith("large"))
    assert "needs tensor parallel" in line
    assert study_text([]) == ""


def test_a_suite_shows_the_range_of_the_heuristic_and_the_best_run() -> None:
    worse = replace(varied()[1], gap_after=0.4, best=1.0)
    text = suite_text([worse, varied()[0]], width=200)
    line = next(line for line in text.splitlines() if line.lstrip().startswith("one device"))
    assert "… 50 %" in line
    assert "wham-like, over its options, on 1 model: gap between" in text
    assert "with the options of this run, on 1 model" in suite_text([worse])
    assert "40 %" not in line


def test_violations_are_listed() -> None:
    row = replace(
        rows("one device")[0],
        method="mine.yaml",
        options={},
        finished=None,
        violations=("limits.area: 2 used, 1 allowed",),
    )
    assert "mine.yaml: violates limits.area: 2 used, 1 allowed" in " ".join(study_text([row]).split())


def test_a_rated_solution() -> None:
    row = GapRow("p.sm", metric="makespan", heuristic=6, best=4, bound=4, gap_before=1 / 3, gap_after=0.0, proof="x")
    lines = dict(
        line.split(maxsplit=1) for line in solution_text(row).splitlines() if not line.startswith(("best", "its"))
    )
    assert lines["verified"] == "yes"
    assert lines["makespan"] == "6"
    assert lines["gap"] == "33.3 %"
    wrong = solution_text(replace(row, heuristic=None, gap_before=None, best=None, violations=("at 1: too many",)))
    assert "verified    no" in wrong
    assert "violated    at 1: too many" in wrong


@pytest.mark.parametrize("case", sorted(KEYS))
def test_tables_fit_a_narrow_terminal(case: str) -> None:
    for text in (study_text(rows(case), width=80), suite_text(rows(case), width=80)):
        assert max(map(len, text.splitlines())) <= 80
