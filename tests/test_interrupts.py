"""Interrupts: one that a solver keeps is raised at the end of the block, or when asked."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from accmine.interrupts import heard, held, terminable


def test_an_interrupt_that_a_solver_keeps_is_heard() -> None:
    def quiet() -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)  # never so long: the signal ends it

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), heard():
        quiet()
    assert signal.getsignal(signal.SIGINT) is before
    with heard():
        pass


def test_it_is_raised_when_asked() -> None:
    reached = []

    def work() -> None:
        with heard() as stop_if_asked:
            stop_if_asked()
            reached.append("before")
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)  # never so long
            stop_if_asked()
            reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["before"]


def test_other_threads_hear_nothing() -> None:
    said: list[str] = []

    def work() -> None:
        with heard():
            said.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == ["done"]


def test_a_held_interrupt_lets_the_block_end_and_a_second_one_ends_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    reached = []
    with held() as pressed:
        assert not pressed()
        signal.raise_signal(signal.SIGINT)
        reached.append("end")
        assert pressed()
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_ends_a_held_block() -> None:
    before = signal.getsignal(signal.SIGINT)

    def twice() -> None:
        with held():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_is_answered_as_ctrl_c_is() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with held() as pressed:
            signal.raise_signal(signal.SIGTERM)
            assert pressed()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("block", [held, heard])
def test_sigterm_is_heard_where_ctrl_c_is_ignored(block: Any) -> None:
    """What a shell starts in the background ignores Ctrl-C, and is ended by SIGTERM."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminable():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            if block is held:
                with held() as pressed:
                    signal.raise_signal(signal.SIGTERM)
                    assert pressed()
            else:
                with pytest.raises(KeyboardInterrupt), heard(), suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # still ignored
    finally:
        signal.signal(signal.SIGINT, before)


def test_somebody_elses_sigterm_stays_theirs() -> None:
    heard_by: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard_by.append(number))
    try:
        with terminable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard_by == [signal.SIGTERM]
