"""Interrupts: one that a solver keeps is raised at the end of the block, or when asked."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

import pytest

from accmine.interrupts import heard, held


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
