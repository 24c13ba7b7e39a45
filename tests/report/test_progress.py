"""What people who wait see."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from accmine.report import Progress, Watch, progress

Err = pytest.CaptureFixture[str]


def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stderr, which is another one while a test is set up, looks like a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}])
def test_no_escape_codes_where_none_are_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: Err, variables: dict[str, str]
) -> None:
    terminal(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with Progress(kept="x", verbose=True) as shown:
        shown.step("mine")
        time.sleep(0.5)
        shown.say("a line that stays")
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "a line that stays" in said
    assert ("\r" in said) is ("NO_COLOR" in variables), "a dumb terminal has lines only"


def test_the_line_has_step_clock_values_and_gap() -> None:
    shown = Progress(kept="x", seconds=60)
    assert shown.line() == "0.0 s  60.0 s left"
    assert Progress(kept="x", seconds=0).line() == "0.0 s  0.0 s over the budget"
    shown.step("mine")
    shown(1.0, 2, None)
    assert shown.line().endswith(" left  incumbent 2  bound –  gap –")
    shown(1.0, 2.0, 1.0)
    assert shown.line().startswith("mine  0.0 s")
    assert shown.line().endswith("incumbent 2  bound 1  gap 50.00 %")


def test_values_of_a_study_are_in_its_unit() -> None:
    shown = Progress(kept="x")
    shown.unit("samples/s", lambda value: 40 / value)
    shown(1.0, 1.0, 0.8)
    assert shown.line().endswith("incumbent 40 samples/s  bound 50 samples/s  gap 20.00 %")


def test_what_gets_worse_is_said(capsys: Err) -> None:
    with Progress(kept="x") as shown:
        shown(0.1, 5, None)
        shown(0.2, 6, None)  # of a problem file, whose sense is not known: no word
        shown.unit("samples/s", lambda value: 40 / value)
        shown(0.3, 0.8, None)
        shown(0.4, 1.0, None)
        shown(0.5, 0.9, None)
        assert "incumbent 44.44 samples/s" in shown.line()
    assert capsys.readouterr().err == "confirmed: 40 samples/s; 50 samples/s was a sketch's\n"


def test_the_clock_runs_on_a_terminal_though_nothing_moves(capsys: Err, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    before = threading.active_count()
    with Progress(kept="x") as shown:
        shown.step("mine")
        time.sleep(0.7)
        shown.say("a line that stays")
        time.sleep(0.3)
    err = capsys.readouterr().err
    assert len({part for part in err.split("\r\x1b[2K") if part.startswith("mine  0.")}) >= 3
    assert "\r\x1b[2Ka line that stays\n" in err
    assert err.endswith("\r\x1b[2K")
    assert threading.active_count() == before


def test_elsewhere_there_is_a_line_now_and_then(capsys: Err, monkeypatch: pytest.MonkeyPatch) -> None:
    with Progress(kept="x"):
        time.sleep(0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "_LINE_S", 0.3)
    with Progress(kept="x") as shown:
        shown.step("mine")
        time.sleep(1.1)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 4
    assert all(line.startswith("mine  ") for line in lines)


def test_verbose_says_steps_and_log_messages(capsys: Err) -> None:
    level = logging.getLogger().level
    with Progress(kept="x", verbose=True) as shown:
        shown.step("mine")
        logging.getLogger("some.solver").info("found %s", 3)
        shown.step("select")
    err = capsys.readouterr().err.splitlines()
    assert [line.split()[-1] for line in err if " s  " in line] == ["mine", "select"]
    assert "some.solver: found 3" in err
    assert logging.getLogger().level == level
    logging.getLogger("some.solver").info("after")
    assert capsys.readouterr().err == ""


def test_quiet_says_nothing(capsys: Err, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    with Progress(kept="x", quiet=True) as shown:
        shown.step("mine")
        shown.say("no")
        logging.getLogger("some.solver").warning("no")
        time.sleep(0.5)
    assert capsys.readouterr().err == ""


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)  # never so long: the signal ends it


def test_ctrl_c_is_answered_at_once(capsys: Err) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Progress(kept="the best so far"):
        with pytest.raises(KeyboardInterrupt):
            press()
        said: list[str] = []

        def heard() -> bool:
            said.append(capsys.readouterr().err)
            return bool("".join(said))

        until(heard)
        with pytest.raises(KeyboardInterrupt):
            press()
    said.append(capsys.readouterr().err)
    assert "".join(said) == "interrupted: the best so far is kept; press Ctrl-C again to end at once\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_ends_the_thread() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), Progress(kept="x"):
        _ = 1 / 0
    assert threading.active_count() == before


def test_a_watch_does_nothing() -> None:
    Watch().step("mine")
    Watch().unit("s", float)


@pytest.mark.parametrize(("seconds", "text"), [(3.04, "3.0 s"), (125, "2:05"), (3725, "1:02:05")])
def test_clock(seconds: float, text: str) -> None:
    assert progress._clock(seconds) == text
