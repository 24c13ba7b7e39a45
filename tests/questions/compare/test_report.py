"""Tables of a comparison: what they say of losses, of claims and of studies that found nothing."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO

from accmine.questions.compare.gain import Gain, Step
from accmine.questions.compare.record import CHIP, COLUMNS, CompareRow
from accmine.questions.compare.report import as_csv, as_json, as_markdown, text
from tests.questions.compare.test_figures import FAST, SLOW, run

CHIPS = replace(FAST, method="tpuv2-like", kind=CHIP, seed=None, value=4.0, note="outside the limits", trace=())
GAIN = Gain(
    "s", "tpuv2-like", "d", (Step("a", 10.0, True), Step("array", 15.0, True), Step("SRAM", 12.0, True)), "ga", 0.5
)
OTHER = [replace(row, study="t") for row in (FAST, SLOW)]
ROWS = [FAST, SLOW, run("random"), CHIPS, *OTHER]


def words(rows: list[CompareRow], gains: list[Gain]) -> str:
    return " ".join(text(rows, gains, width=300).split())


def test_one_study_lists_its_methods_best_first() -> None:
    found = text([SLOW, FAST, run("random")], [], width=300)
    assert found.index("wham-like") < found.index("gp-features") < found.index("random")
    assert "Searches compared: s, throughput" in found


def test_several_studies_have_a_table_and_losses_stand_in_it() -> None:
    found = words(ROWS, [GAIN])
    assert "Gap to the bound: throughput" in found
    assert "s 50 % 60 % –" in found, "random found nothing"
    assert "wham-like gp-features seconds native 15 15 15 2 0 0 31" in found
    lost = words([SLOW, run("wham-like", (1, 1.0, 2.9))], [])
    assert "wham-like gp-features seconds native 0 0 0 1 1 0 31" in lost


def test_what_a_chip_violates_is_said() -> None:
    found = words(ROWS, [])
    assert "s throughput 1* 2" in found
    assert "tpuv2-like outside the limits" in found


def test_the_gain_is_decomposed_beside_the_claim() -> None:
    found = words(ROWS, [GAIN])
    assert "s 1.500 0.8000 20 % 100 % ga" in found
    assert "Median gain 20 %; the paper claims 12 %." in found


def test_csv_has_all_columns() -> None:
    (first, *_, chip, _, _) = csv.DictReader(StringIO(as_csv(ROWS)))
    assert tuple(first) == COLUMNS
    assert (float(first["gap"]), float(first["times_baseline"])) == (0.5, 2.0)
    assert (chip["kind"], chip["seed"]) == ("chip", "")


def test_json_holds_rows_and_all_figures() -> None:
    found = json.loads(json.dumps(as_json(ROWS, [GAIN]), allow_nan=False))
    assert [row["method"] for row in found["rows"]] == [row.method for row in ROWS]
    claim = found["claims"][0]
    assert (claim["ours"], claim["theirs"], claim["what"], claim["median"], claim["claimed"]) == (
        "wham-like",
        "gp-features",
        "seconds",
        15.0,
        31.0,
    )
    assert found["gains"][0]["gain"] == 0.19999999999999996
    assert found["summaries"][0]["to_seconds"]


def test_markdown_is_made_of_tables() -> None:
    found = as_markdown(ROWS, [GAIN])
    lines = [line for line in found.splitlines() if line.startswith("|")]
    assert "| model | wham-like | gp-features | random |" in lines
    assert "| --- | ---: | ---: | ---: |" in lines


def test_notes_are_listed() -> None:
    row = CompareRow("big", "throughput", note="needs tensor parallel")
    assert "needs tensor parallel (big, throughput)" in words([*ROWS, row], [])
    nothing = [run("ga", seed=seed, note="nothing found") for seed in (0, 1)]
    assert "ga: nothing found (s, throughput: 2 runs)" in words([*ROWS, *nothing], [])


def test_an_infinite_ratio_is_no_number_in_json() -> None:
    late = run("gp-features", (10, 30.0, 2.5), finished=False, seconds=40.0)
    early = run("wham-like", (1, 0.5, 3.0), finished=False, seconds=1.0)
    found = json.loads(json.dumps(as_json([early, late], []), allow_nan=False))
    ratios = [c for c in found["claims"] if (c["what"], c["charge"]) == ("throughput", 0.0)]
    assert ratios[0]["median"] is None
