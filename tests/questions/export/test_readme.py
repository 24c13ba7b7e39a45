"""What the README of every export has in common."""

from __future__ import annotations

from pathlib import Path

from accmine.questions.export.readme import heading, operator_table
from tests.samples.export_sample import answer


def test_the_heading_names_study_design_and_tool(tmp_path: Path) -> None:
    found = answer(tmp_path)
    (winner,) = found.winners
    lines = heading("Tool", "1.2", found, winner).splitlines()
    assert lines[0] == f"{found.plan.study.name}: {winner.name} for Tool 1.2"
    assert set(lines[1]) == {"="}
    assert len(lines[1]) == len(lines[0])
    assert f"design      {winner.design.name}" in lines


def test_the_table_has_a_line_per_operator(tmp_path: Path) -> None:
    (winner,) = answer(tmp_path, models=("gpt",)).winners
    lines = operator_table(winner).splitlines()
    assert lines[0].split()[:4] == ["label", "operator", "m", "k"]
    for operator, line in zip(winner.operators, lines[1:], strict=False):
        assert line.startswith(operator.label)
        assert f"{operator.duration_cycles:,}" in line.split()
    assert lines[1 + len(winner.operators)] == ""
    values = {operator.label: f"file{i}.csv" for i, operator in enumerate(winner.operators)}
    more = operator_table(winner, "file", values).splitlines()
    assert more[0].endswith("file")
    assert more[1].endswith("file0.csv")
