"""The text of ``accmine stability``."""

from __future__ import annotations

from dataclasses import replace

from accmine.questions.stability.report import render
from tests.samples.stability_sample import CONSTANT, FOUND, IDLE


def test_it_says_how_often_and_what_flips_it() -> None:
    lines = render(FOUND).splitlines()
    text = " ".join(" ".join(lines).split())
    assert lines[:2] == ["── Decision stability: s ──", "  answer"]
    assert "Within 2 % of the best in 200 of 250 draws: 80 % ± 2.53 %" in text
    assert "Interrupted: 250 of 300 draws are counted." in text
    assert "breaks a limit in 25 of 250 draws, counted as not within (the area limit in 25)" in text
    assert "Alone it is flipped by area.sram." in text
    assert "over area" in next(line for line in lines if line.startswith("  area.sram  "))
    assert "area.sram at its high end: other instead" in text
    assert "nothing compared here depends on it: area.link." in text
    assert "The safer choice among these: other is near the best in 90 %" in text
    assert "throughput 44 samples/s, bound 47 samples/s, gap 6.4 % (feasible)" in text
    assert "1 would count differently" in text
    assert lines[-1] == "  runs/x/stability.json"


def test_it_says_what_is_not_known() -> None:
    calm = replace(CONSTANT, flips=False)
    found = replace(FOUND, outside_limits=0, outside={}, nominal_regret=None, nominal=None, constants=(calm, IDLE))
    text = " ".join(render(found).split())
    assert "It meets every limit in all draws." in text
    assert "With the constants as they are it breaks a limit" in text
    assert "No certificate." in text
    assert "No constant flips it alone: only several together do." in text
    assert "a longer search would answer otherwise" in render(replace(FOUND, nominal_regret=0.03))
