"""The roofline chart, tested by the data on its axes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.cost import OperatorTable
from accmine.cost.operator_table import operator_table
from accmine.errors import InputError
from accmine.problems import design_search
from accmine.report.charts.roofline import draw, points
from tests.samples.search_sample import design, graph_of, planned, task_of, technology


def table(chip: Any = None, **keys: Any) -> OperatorTable:
    chip = chip or design(4, 2)
    plan, _ = planned(**({"models": ("gpt",)} | keys))
    library = design_search.cost_library(
        plan.tasks, (chip.tensor_cores, chip.vector_cores), "even", "tpu-like", technology()
    )
    return operator_table(plan.tasks[0], library, chip)


def axes_of(own: OperatorTable) -> Any:
    return draw(own).axes[0]


def drawn(axes: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for own in axes.collections for x, y in own.get_offsets()]


def test_every_operator_with_arithmetic_and_traffic_is_a_point() -> None:
    own = table()
    found = points(own)
    assert found
    assert sorted(drawn(axes_of(own))) == sorted((x, y) for _, x, y, _ in found)
    left_out = [row for row in own.rows if row not in {row for row, *_ in found}]
    assert all(row.intensity in (0, float("inf")) for row in left_out)


def test_points_are_below_the_roofs_that_are_drawn() -> None:
    own = table()
    arrays, lanes = axes_of(own).lines
    for row, x, y, _ in points(own):
        line = arrays if row.work.uses_tensor else lanes
        roof = 10 ** np.interp(np.log10(x), *(np.log10(np.asarray(data)) for data in line.get_data()))
        assert y <= roof * (1 + 1e-9)
    for line, ridge, peak in (
        (arrays, own.roof.tensor_ridge, own.roof.tensor_flops_per_s),
        (lanes, own.roof.vector_ridge, own.roof.vector_flops_per_s),
    ):
        assert (line.get_xdata()[1], line.get_ydata()[1]) == (ridge, peak)
        assert line.get_ydata()[2] == peak


def test_areas_follow_the_shares_of_time() -> None:
    own = table()
    found = points(own)
    size = sorted(
        (*map(float, at), float(s))
        for collection in axes_of(own).collections
        for at, s in zip(collection.get_offsets(), collection.get_sizes(), strict=True)
    )
    share = sorted((x, y, share) for _, x, y, share in found)  # of one place, too: the longer has the larger area
    least = min(s for *_, s in size)
    per_share = max(s for *_, s in size) / found[0][3]
    assert [s for *_, s in size] == pytest.approx([max(least, per_share * part) for *_, part in share])
    assert least < per_share * found[0][3]
    assert sum(part for *_, part in share) <= 1 + 1e-9


def test_the_legend_names_what_binds_and_the_longest() -> None:
    own = table()
    labels = [text.get_text() for text in axes_of(own).get_legend().get_texts()]
    bound = {row.bound_by for row, *_ in points(own)}
    assert {label.removeprefix("bound by ") for label in labels if label.startswith("bound by")} == bound
    assert any(label.startswith(f"1  {points(own)[0][0].name}") for label in labels)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_files(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"roof.{ending}"
    draw(table(), path, title="gpt on base")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"unknown ending of a chart; allowed: .*png"):
        draw(table(), tmp_path / "roof.txt")
    assert not list(tmp_path.iterdir())
    task = task_of(graph_of([("move", 16, ())]))
    library = design_search.cost_library([task], (2,), "even", "tpu-like", technology())
    with pytest.raises(InputError, match="nothing to draw"):
        draw(operator_table(task, library, design()))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"accmine\[plot\]"):
        draw(table())


def test_an_operator_without_traffic_is_not_drawn() -> None:
    own = table()
    quiet = replace(own, rows=tuple(replace(row, intensity=float("inf"), hbm_bytes=0) for row in own.rows))
    assert points(quiet) == []
