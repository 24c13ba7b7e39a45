"""Ctrl-C and SIGTERM: what a solver kept to itself is raised where half an answer is none, what would throw an answer
away is held, what comes in the middle of an import or where Python loses it waits for its end, and both mean the same.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from weakref import WeakSet

__all__ = ["heard", "held", "held_in", "terminable", "whole_imports"]

Handler = Callable[[int, FrameType | None], object]

_IMPORTS = "<frozen importlib."
_WEAK = frozenset({weakref.__file__, WeakSet.__init__.__code__.co_filename})
_AGAIN_S = 0.02


@contextmanager
def terminable() -> Iterator[None]:
    """Answer SIGTERM inside the block as Ctrl-C is answered at that moment; outside it ends the process, as ever.

    Nothing is changed outside of the main thread, and where somebody else hears SIGTERM.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield
        return

    def as_interrupt(number: int, frame: FrameType | None) -> None:
        own = signal.getsignal(signal.SIGINT)
        (own if callable(own) else signal.default_int_handler)(number, frame)

    signal.signal(signal.SIGTERM, as_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _imports(frame: FrameType | None) -> int:
    """How many frames of imports are on the stack."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith(_IMPORTS)
        frame = frame.f_back
    return count


def _lost(frame: FrameType | None) -> bool:
    """Whether what is raised in a frame goes no further: in finalisers and callbacks of weak references."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or (code.co_filename in _WEAK and code.co_name in ("remove", "_remove")):
            return True
        frame = frame.f_back
    return False


@contextmanager
def whole_imports() -> Iterator[None]:
    """Let an interrupt that comes in the middle of an import wait until the import is done.

    So do those that come in finalisers and callbacks of weak references, where Python only prints what is raised.
    Raised in an import it would leave modules half made, which later imports take for whole; what classes and extension
    modules do while they are made turns it into other errors; and Python ends by the signal itself when it came in
    ``exec``, of which dataclasses are made, though it was caught. Nothing is changed outside of the main thread, and
    where somebody else hears SIGINT.
    """
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread()
    if main is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return
    outer, waiting = _imports(sys._getframe()), False
    asked, ask = os.pipe()  # a handler may take no lock, which starting a thread does

    def remind() -> None:
        while os.read(asked, 1):
            time.sleep(_AGAIN_S)
            signal.pthread_kill(main.ident or 0, signal.SIGINT)

    def later(number: int, frame: FrameType | None) -> None:
        nonlocal waiting
        waiting = _imports(frame) > outer or _lost(frame)
        if not waiting:
            raise KeyboardInterrupt
        os.write(ask, b"!")

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    signal.signal(signal.SIGINT, later)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # until nobody reminds any more
        os.close(ask)
        thread.join()
        os.close(asked)
        signal.signal(signal.SIGINT, before)
        if waiting:
            raise KeyboardInterrupt


def _heard() -> tuple[int, Handler | None]:
    """The signal by which interrupts arrive here, and what answers it; ``None``: nothing does, or not in this thread.

    Shells let what they start in the background ignore Ctrl-C: SIGTERM is what is left then.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if callable(before):
                return number, before
    return signal.SIGINT, None


@contextmanager
def heard() -> Iterator[Callable[[], None]]:
    """Raise ``KeyboardInterrupt`` at the end of the block if an interrupt came in it and a solver kept it to itself.

    Yields a function that does so at once. Solvers answer Ctrl-C with the best they have; a row made of such halves
    would be no measurement.
    """
    listened, before = _heard()
    if before is None:
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

    signal.signal(listened, note)
    try:
        yield stop_if_asked
    finally:
        signal.signal(listened, before)
    stop_if_asked()


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Finish a short block in spite of a first Ctrl-C, which would throw away what is there; a second one ends it.

    Yields whether one was pressed.
    """
    listened, before = _heard()
    if before is None:
        yield lambda: False
        return
    pressed, handler = False, before

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            handler(number, frame)
        pressed = True

    signal.signal(listened, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(listened, before)


@contextmanager
def held_in(file: str) -> Iterator[None]:
    """Raise an interrupt that comes while code of ``file`` runs at the end of the block, any other at once.

    For code of others that an exception in the wrong place leaves half done: threads that wait for each other.
    """
    listened, before = _heard()
    if before is None:
        yield
        return
    pressed, handler = False, before

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        inside = frame
        while inside is not None and inside.f_code.co_filename != file:
            inside = inside.f_back
        if inside is None:
            handler(number, frame)
        pressed = inside is not None

    signal.signal(listened, note)
    try:
        yield
    finally:
        signal.signal(listened, before)
    if pressed:
        raise KeyboardInterrupt
