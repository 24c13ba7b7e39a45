"""The operators of a step as sections, text and CSV."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

from accmine.questions.cost.measure import CostedStep, cost_step
from accmine.questions.cost.report import COLUMNS, LONGEST, csv_text, operators, render, totals


@cache
def step() -> CostedStep:
    return cost_step("resnet-50", "tpuv2-like", "tpu-16nm", {})


def test_the_longest_rows_stand_alone_and_the_others_are_one() -> None:
    table = step().table
    few, every = operators(step()), operators(step(), everything=True)
    assert len(few.rows) == LONGEST + 1
    assert few.rows[-1][0] == f"other ({len(table.rows) - LONGEST} rows)"
    assert few.rows[:LONGEST] == every.rows[:LONGEST]
    assert len(every.rows) == len(table.rows)
    assert {column.title for column in few.columns} == set(COLUMNS), "strided layers insert zeros"
    assert [column.title for column in few.columns if not column.numeric] == [*COLUMNS[:4], "bound"]


def test_sums_end_with_the_step() -> None:
    found = totals(step())
    assert found.rows[-1][1:3] == (f"{step().table.step.operators:,}", f"{step().table.step.cycles:,}")
    assert found.rows[-1][-1] == "100.0 %"
    assert len(found.rows) == len(step().table.phases) + 1


def test_the_text_holds_both_tables() -> None:
    blocks = render(step()).split("\n\n")
    assert len(blocks[1].splitlines()) == LONGEST + 2
    assert len(blocks[2].splitlines()) == len(step().table.phases) + 2


def test_csv_has_every_row() -> None:
    rows = list(csv.DictReader(csv_text(step()).splitlines()))
    assert len(rows) == len(step().table.rows)
    assert sum(int(row["step_cycles"]) for row in rows) == step().table.step.cycles


def test_the_page_explains_every_column() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "cost-command.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| ([^|]+) \|", page.split("## Columns")[1].split("##")[0], flags=re.MULTILINE)
    assert {name.strip() for cell in explained for name in cell.split(",")} - {"column", "---"} == set(COLUMNS)
