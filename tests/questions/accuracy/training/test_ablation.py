"""What terms of a predicted step are worth."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from accmine.questions.accuracy.training.ablation import WITHOUT, Ablation, ablation, ablation_text
from accmine.questions.accuracy.training.machine import Terms

SAMPLES = Path(__file__).parents[3] / "data" / "training"


@pytest.fixture(scope="module")
def found() -> tuple[Ablation, ...]:
    return ablation(SAMPLES)


def test_each_term_is_left_out_once(found: tuple[Ablation, ...]) -> None:
    assert [own.term for own in found] == ["", *WITHOUT]
    assert set(WITHOUT) == {item.name for item in fields(Terms)}


def test_steps_are_shorter_without_a_term(found: tuple[Ablation, ...]) -> None:
    whole = found[0]
    for own in found[1:]:
        assert own.sc21.bias <= whole.sc21.bias + 1e-9, own.term
        assert own.table5.bias <= whole.table5.bias + 1e-9, own.term
    worth = {own.term: own for own in found}
    assert worth["gradients"].table5 == whole.table5  # one replica
    assert worth["core"].sc21.bias < whole.sc21.bias - 0.05


def test_the_table_shows_changes_in_points(found: tuple[Ablation, ...]) -> None:
    lines = ablation_text(found).splitlines()
    assert lines[0].split()[:2] == ["left", "out"]
    assert len(lines) == 2 + len(WITHOUT)
    whole, first = found[0], found[1]
    assert f"{100 * (first.sc21.mape - whole.sc21.mape):+.1f}" in lines[2]
