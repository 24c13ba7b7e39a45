"""Ctrl-C that a solver kept to itself, raised all the same where half an answer is none."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["heard", "held"]


@contextmanager
def heard() -> Iterator[Callable[[], None]]:
    """Raise ``KeyboardInterrupt`` at the end of the block if Ctrl-C was pressed in it and a solver kept it to itself.

    Yields a function that does so at once. Solvers answer Ctrl-C with the best they have; a row made of such halves
    would be no measurement.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    pressed, handler = False, before

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        handler(number, frame)

    def stop_if_asked() -> None:
        if pressed:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield stop_if_asked
    finally:
        signal.signal(signal.SIGINT, before)
    stop_if_asked()


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Finish a short block in spite of a first Ctrl-C, which would throw away what is there; a second one ends it.

    Yields whether one was pressed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False
        return
    pressed, handler = False, before

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            handler(number, frame)
        pressed = True

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
