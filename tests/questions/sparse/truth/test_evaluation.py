"""Callbacks that fail are named errors, in time, and take nothing of the rounds before with them."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Budget, Problem
from accmine.questions.sparse.truth.evaluation import Callback, EvaluationError, evaluator
from accmine.questions.sparse.truth.loop import End, Settings, true_loss_loop
from accmine.sparse.layer import Layer, Level, binomial

CALLBACKS = """
import os, signal, sys, time

calls = 0

def good(levels):
    return 1 + len(levels)

def more(levels):
    return {"value": 2, "test_loss": 3.5}

def raises(levels):
    raise ValueError("no such layer")

def nan(levels):
    return float("nan")

def text(levels):
    return "97"

def nothing(levels):
    pass

def boolean(levels):
    return True

def unnamed(levels):
    return {"accuracy": 3}

def hangs(levels):
    time.sleep(60)

def dies(levels):
    os._exit(7)

def exits(levels):
    sys.exit(0)

def later(levels):
    global calls
    calls += 1
    if calls == 2:
        raise RuntimeError("the second time")
    return 90.0

def interrupts(levels):
    global calls
    calls += 1
    if calls == 2:
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)
    return 90.0

constant = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_network.py").write_text(CALLBACKS)
    (tmp_path / "broken_network.py").write_text("import sys\nweights = open('/nowhere/weights.npz')\n")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "why", "words"),
    [
        ("own_network:raises", "raised", "it raised ValueError: no such layer ("),
        ("own_network:nan", "number", "what it returned is nan; a finite number is needed"),
        ("own_network:text", "number", "what it returned is '97', no number"),
        ("own_network:nothing", "number", "what it returned is None, no number"),
        ("own_network:boolean", "number", "what it returned is True, no number"),
        ("own_network:unnamed", "number", "it returned a mapping without 'value': accuracy"),
        ("own_network:hangs", "time", "no answer in 5 s"),
        ("own_network:dies", "died", "ended by itself with exit code 7"),
        ("own_network:exits", "raised", "it raised SystemExit: 0"),
        ("own_network:missing", "import", "it cannot be imported: AttributeError"),
        ("own_network:constant", "import", "it is not callable"),
        ("no_such_network:f", "import", "it cannot be imported: ModuleNotFoundError"),
        ("broken_network:f", "import", "broken_network.py:2)"),
    ],
)
def test_named(folder: Path, target: str, why: str, words: str) -> None:
    begun = time.monotonic()
    with (
        pytest.raises(EvaluationError) as caught,
        evaluator(target, limit_s=5, folders=(str(folder),), where="study.yaml:7:11", field="accuracy.use") as asked,
    ):
        asked({"l0": "t0"})
    assert caught.value.why == why
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"study.yaml:7:11: accuracy.use: {target}: ")
    assert caught.value.exit_code == 2
    assert time.monotonic() - begun < 50, "nobody waits for the callback to end by itself"


def test_line_of_a_callback_that_raises(folder: Path) -> None:
    line = CALLBACKS.splitlines().index('    raise ValueError("no such layer")') + 1
    with evaluator("own_network:raises", folders=(str(folder),)) as asked, pytest.raises(EvaluationError) as caught:
        asked({})
    assert f"{folder / 'own_network.py'}:{line})" in str(caught.value)


def test_numbers(folder: Path) -> None:
    with evaluator("own_network:good", folders=(str(folder),)) as asked:
        assert asked({"a": "t0", "b": "t1"}).value == 3
    with evaluator("own_network:more", folders=(str(folder),)) as asked:
        found = asked({})
    assert (found.value, found.others) == (2, (("test_loss", 3.5),))


@pytest.mark.parametrize("value", [1.5, np.float32(1.5), np.array(1.5), np.array([1.5]), Fraction(3, 2)])
def test_numbers_of_other_types(value: object) -> None:
    with evaluator(lambda levels: value) as asked:
        assert asked({}).value == 1.5


def test_no_single_number() -> None:
    with evaluator(lambda levels: np.ones(2)) as asked, pytest.raises(EvaluationError, match="no number"):
        asked({})


@pytest.mark.parametrize("target", ["own_network", "own network:f", ":f", "own_network:"])
def test_wrong_names(target: str) -> None:
    with pytest.raises(InputError, match="allowed: module:function"), evaluator(target):
        pass


def problem() -> Problem:
    """A layer on one DSP, whose proxy says that nothing is lost."""
    levels = tuple(Level(f"t{v}", (binomial(4, Fraction(10 - v, 10)),), v) for v in range(8))
    layer = Layer("l0", 1, 1, (2, 2), (8, 8), (8, 8), levels=levels)
    return Problem((layer,), budget=Budget(dsp=1, loss=1_000_000), engines=("sparse",), slacks=(1,))


def test_rounds_before_an_error_are_kept(folder: Path) -> None:
    settings = Settings(reference=100.0, folders=(str(folder),))
    seen: list[int] = []
    with pytest.raises(EvaluationError, match="RuntimeError: the second time") as caught:
        true_loss_loop(problem(), "own_network:later", settings, on_round=lambda own: seen.append(own.number))
    outcome = caught.value.outcome
    assert seen == [own.number for own in outcome.rounds] == [1]
    assert outcome.end is End.FAILED
    assert outcome.rounds[0].true_loss == 10
    assert outcome.bound == outcome.to_json()["bound"] > 0


def test_interrupt_keeps_rounds(folder: Path) -> None:
    outcome = true_loss_loop(problem(), "own_network:interrupts", Settings(reference=100.0, folders=(str(folder),)))
    assert outcome.end is End.INTERRUPTED
    assert [own.accuracy for own in outcome.rounds] == [90]


def test_interrupt_before_the_first_round() -> None:
    def pressed(levels: object) -> float:
        raise KeyboardInterrupt

    outcome = true_loss_loop(problem(), pressed)
    assert (outcome.end, outcome.rounds, outcome.best) == (End.INTERRUPTED, (), None)


@pytest.mark.parametrize("value", [-1.0, 100.5])
def test_accuracies_are_percent(value: float) -> None:
    never: Callback = lambda levels: value  # noqa: E731
    with pytest.raises(EvaluationError, match="allowed: 0 to 100"):
        true_loss_loop(problem(), never, Settings(reference=99.0))
