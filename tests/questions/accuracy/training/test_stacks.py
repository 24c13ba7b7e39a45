"""Stacks calibrated on measured steps: which steps are used, what is scored, and how often intervals hold."""

from __future__ import annotations

import random
from math import exp
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions.accuracy.training.machine import machine_of
from accmine.questions.accuracy.training.stacks import Measured, calibrated, coverage, read_measured

SAMPLE = Path(__file__).parents[3] / "data" / "training" / "vtrain_single_node.csv"


def steps(count: int, factor: float, spread: float, seed: int = 0) -> list[Measured]:
    chance = random.Random(seed)
    drawn = [(chance.uniform(0.1, 9.0), exp(chance.gauss(0.0, spread))) for _ in range(count)]
    return [Measured(f"step {i}", model, factor * model * noise) for i, (model, noise) in enumerate(drawn)]


def test_the_steps_of_the_calibration_are_named_and_not_scored() -> None:
    own = steps(50, 1.3, 0.1)
    found = calibrated("mine", own, "here", seed=3)
    assert len(found.stack.runs) == 20
    assert found.others is not None
    assert found.others.rows == 30
    # Steps that were calibrated on may be anything: the score of the others stays.
    spoiled = [Measured(s.name, s.model_s, s.seconds * (1.0 if s.name in found.stack.runs else 2.0)) for s in own]
    other = calibrated("mine", spoiled, "here", seed=3)
    assert other.stack.factor == found.stack.factor
    assert other.covered == 0.0


def test_exactly_twenty_steps_leave_none_to_score() -> None:
    found = calibrated("mine", steps(20, 2.0, 0.0), "here")
    assert (found.others, found.covered) == (None, None)
    assert (found.stack.factor, found.stack.band) == (2.0, 1.0)
    with pytest.raises(InputError, match="19 steps; 20 are needed: 8 for a factor, 12 for its band"):
        calibrated("mine", steps(19, 2.0, 0.0), "here")


@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_intervals_hold_nine_of_ten_steps_whatever_their_spread(spread: float) -> None:
    held, band = coverage(steps(400, 0.7, spread))
    assert 0.85 <= held <= 0.95
    assert exp(spread) < band < exp(3.5 * spread)


def test_measured_steps_come_with_their_plan_or_their_modelled_time(tmp_path: Path) -> None:
    found = read_measured(SAMPLE, machine_of())
    assert len(found) == 22
    assert found[0].name.startswith("vtrain_single_node.csv:3: 12 layers of 2048")
    assert found[0].seconds == pytest.approx(0.496019576)
    file = tmp_path / "own.csv"
    file.write_text("name,modelled_s,seconds\na,2.0,3.0\nb,1,1\n")
    first, _ = read_measured(file, machine_of())
    assert (first.name, first.ratio) == ("own.csv:2: a", 1.5)


@pytest.mark.parametrize(("row", "says"), [("a,x,1", "is no step"), ("a,1,0", "must be positive")])
def test_rows_that_are_no_steps_are_named(tmp_path: Path, row: str, says: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(f"name,modelled_s,seconds\n{row}\n")
    with pytest.raises(InputError, match=rf"own\.csv:2.*{says}"):
        read_measured(file, machine_of())
