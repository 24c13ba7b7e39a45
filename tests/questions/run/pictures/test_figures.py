"""Figures of a run: what they say, and the tables behind them."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from accmine.questions.run.pictures.evaluated import evaluated_figures
from accmine.questions.run.pictures.figures import certificate_figure, design_figure, limits_figure, roof_figures
from accmine.questions.run.pictures.place import in_place
from accmine.questions.run.reading import page
from accmine.questions.run.report import sections
from accmine.questions.run.report.whole import drawn
from accmine.report import Figure, Section, Table
from tests.samples.page_sample import Page
from tests.samples.pictures_sample import AREA, DESIGNS, pictured, trace
from tests.samples.report_sample import BIG, pipeline, single


def rows_of(figure: Figure) -> list[dict[str, object]]:
    return [dict(zip(figure.table.columns, row, strict=True)) for row in figure.table.rows]


def test_the_front_is_of_designs_that_fit() -> None:
    (figure,) = evaluated_figures(pictured())
    rows = rows_of(figure)
    assert [row["what"] for row in rows].count("chosen") == 1
    assert [row["name"] for row in rows if row["what"] == "baseline"] == ["tpuv2-like"]
    assert len(rows) == DESIGNS + 1
    assert not rows[DESIGNS - 1]["front"]  # it does not fit
    assert [row["front"] for row in rows[:4]] == [True, False, True, True]
    assert (rows[2]["tensor_rows"], rows[2]["hbm_bandwidth"]) == ("64", "700 GB/s")
    # A baseline stands where its ratio puts it: 1.63 times slower than the answer.
    assert rows[-1]["relative"] == pytest.approx(1.6 / 1.6309)
    assert "1 do not fit" in figure.text


def test_of_a_pipeline_each_group_has_its_own() -> None:
    base = pictured()
    more = tuple(replace(e, devices="s1", samples_per_s=nan) for e in base.evaluated)
    figures = evaluated_figures(replace(base, evaluated=(*base.evaluated, *more), chips=2))
    assert [figure.key for figure in figures] == ["evaluated-0", "evaluated-1"]
    assert "throughput relative to the baseline" in figures[1].picture
    assert all(row["what"] != "baseline" for figure in figures for row in rows_of(figure))


def test_dies_are_at_one_scale() -> None:
    small = replace(pictured().designs[0], area_mm2=331.24 / 4, area_parts={k: v / 4 for k, v in AREA.items()})
    figure = design_figure([pictured().designs[0], small], ["A", "B"])
    widths = [float(part.split('"')[0]) for part in figure.picture.split('class="die" x="4" y="4.0" width="')[1:]]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert sum(row["share"] for row in rows_of(figure)) == pytest.approx(2.0)  # type: ignore[misc]
    assert design_figure(single().designs, ["A"]).picture == ""  # of an older result


def test_limits_show_their_slack() -> None:
    figure = limits_figure(pictured().limits)
    assert [row["slack"] for row in rows_of(figure)] == pytest.approx([1.76, 10.8])
    assert limits_figure(()).picture == ""


def test_a_certificate_without_a_bound_has_no_gap() -> None:
    assert 'class="gap"' in certificate_figure("Throughput", "x", 1.0, 2.0, 3.0, 1 / 3).picture
    assert 'class="gap"' not in certificate_figure("Throughput", "x", None, 2.0, nan, nan).picture


def test_a_roofline_shows_what_has_arithmetic() -> None:
    (figure,) = roof_figures(pictured().roofs)
    assert figure.picture.count("<circle") == 8  # the softmax of the sample has none
    assert len(figure.table.rows) == 9
    assert "op&lt;0&gt;" in figure.picture


def test_sections_of_figures_follow_what_they_belong_to() -> None:
    outcome = pictured()
    keys = [section.key for section in in_place(sections(outcome), drawn(outcome, trace()), "name: x\n")]
    assert keys[:3] == ["answer", "throughput", "evaluated"]
    assert keys[keys.index("time") :][:5] == ["time", "parts", "gantt", "timeline", "roofline"]
    assert keys[-1] == "study"
    figure = Figure("f", "t", "<svg></svg>", "", Table(("a",), ()))
    alone = in_place([Section("answer", "A", notes=("x",))], {"roofline": [figure], "gantt": []})
    assert [section.key for section in alone] == ["answer", "roofline"]


def test_results_of_older_versions_have_a_page() -> None:
    for outcome in (single(), pipeline()):
        found = Page(page(outcome))
        assert "fig-certificate" in found.ids
        assert not {"evaluated", "gantt", "roofline", "study", "fig-design"} & set(found.ids)


def test_no_two_things_have_one_name() -> None:
    found = Page(page(pictured(), trace(), "name: x\n"))
    assert len(set(found.ids)) == len(found.ids)
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert BIG in " ".join(found.text)
