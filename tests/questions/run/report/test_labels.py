"""Letters for designs."""

from __future__ import annotations

from dataclasses import replace

from accmine.questions.run.report.labels import design_labels, legend
from tests.samples.report_sample import pipeline, single


def test_letters_go_on_behind_z() -> None:
    assert list(design_labels(pipeline()).values()) == ["A", "B", "C", "D"]
    many = replace(single(), designs=tuple(replace(single().designs[0], name=str(i)) for i in range(800)), stages=())
    letters = list(design_labels(many).values())
    assert (letters[25], letters[26], letters[51], letters[52], letters[702]) == ("Z", "AA", "AZ", "BA", "AAA")
    assert len(set(letters)) == 800


def test_a_legend_names_each_design_once() -> None:
    assert legend({"x": "A", "y": "B"}, ["y", "x", "y"]) == ("• B = y", "• A = x")
