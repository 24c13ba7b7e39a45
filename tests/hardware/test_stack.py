"""Stacks of software: files, and predictions with an interval or with the reason why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import names
from accmine.hardware.stack import UNCALIBRATED, Stack, dump_stack, fitted_stack, load_stack, predicted


def test_a_prediction_carries_the_interval_of_its_stack() -> None:
    found = predicted(10.0, Stack("mine", 1.2, 1.25))
    assert found.seconds == 12.0
    assert found.interval == (9.6, 15.0)
    assert "9 of 10 steps of mine take 9.6 to 15 s" in found.text


def test_without_a_stack_the_spread_of_the_suites_is_said() -> None:
    found = predicted(10.0, None)
    assert (found.seconds, found.interval) == (10.0, ())
    assert found.text.startswith("no stack is calibrated")
    for suite, low, high in UNCALIBRATED:
        assert f"{suite} {low:g} to {high:g}" in found.text


def test_the_first_eight_give_the_factor_and_the_others_the_band() -> None:
    ratios = [1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.7, 1.8, *[1.4] * 11, 1.4 * 1.5]
    stack = fitted_stack("mine", ratios, [], "here")
    assert stack.factor == 1.4
    assert stack.band == pytest.approx(1.5, abs=1e-3)
    below = fitted_stack("mine", [*ratios[:-1], 1.4 / 1.5], [], "here")
    assert below.band == pytest.approx(1.5, abs=1e-3)
    # Of 19 distances the eighteenth is enough.
    many = fitted_stack("mine", [*ratios[:8], *[1.4] * 17, 1.4 * 1.2, 1.4 * 9], [], "here")
    assert many.band == pytest.approx(1.2, abs=1e-3)


@given(st.lists(st.floats(0.1, 10.0), min_size=20, max_size=60))
def test_nine_of_ten_of_the_band_are_within(ratios: list[float]) -> None:
    stack = fitted_stack("mine", ratios, [], "here")
    inside = [
        stack.factor / stack.band * (1 - 1e-3) <= ratio <= stack.factor * stack.band * (1 + 1e-3)
        for ratio in ratios[8:]
    ]
    assert sum(inside) >= 0.9 * len(inside)


def test_a_stack_survives_its_file(tmp_path: Path) -> None:
    stack = Stack("mine", 1.234, 1.5, ("a.csv:2: x", "a.csv:3: y"), "20 of 40 steps")
    file = tmp_path / "mine.yaml"
    file.write_text(dump_stack(stack))
    assert load_stack(file) == stack


def test_shipped_stacks() -> None:
    assert names("stacks")
    for name in names("stacks"):
        stack = load_stack(name)
        assert stack.name == name
        assert len(stack.runs) == 20
        assert stack.source


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("factor: 1.2", "factor: 0", r":3:\d+: factor: .*greater than 0|factor: must"),
        ("band: 1.5", "band: 0.5", r":4:\d+: band"),
        ("band: 1.5", "bend: 1.5", r"bend"),
        ("kind: stack", "kind: stock", r":2:\d+: kind"),
        ("name: mine\n", "", r"name"),
    ],
)
def test_wrong_files_are_refused_with_the_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(dump_stack(Stack("mine", 1.2, 1.5, (), "here")).replace(old, new))
    with pytest.raises(InputError, match=says):
        load_stack(file)


@pytest.mark.parametrize(("factor", "band"), [(0.0, 1.1), (-1.0, 1.1), (1.0, 0.9), (float("inf"), 1.1)])
def test_impossible_stacks(factor: float, band: float) -> None:
    with pytest.raises(InputError, match=r"factor|band"):
        Stack("mine", factor, band)


def test_too_few_steps() -> None:
    with pytest.raises(InputError, match="19 steps; 20 are needed"):
        fitted_stack("mine", [1.0] * 19, [], "here")
