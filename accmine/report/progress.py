"""What people who wait see: the step, the clock, the best value so far and what is proven about it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from accmine.report.numbers import UNKNOWN, number
from accmine.report.text import escapes

__all__ = ["Progress", "Watch"]

_TICK_S, _LINE_S = 0.2, 10.0
"""How often a terminal is written, and how often anything else."""

_WORSE = 1e-12  # relative; orders of floating-point operations differ by less

Value = float | int | None


class Watch:
    """Told what a question is doing; by itself it does nothing with it."""

    def step(self, name: str) -> None:
        """A step begins, and with it the one before has ended."""

    def unit(self, unit: str, shown: Callable[[float], float]) -> None:
        """From now on values are minimised ones of a study; ``shown`` makes them the figure that is wanted."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def begin(self) -> float:
        """The budget counts from now on: the value of ``time.monotonic()``."""
        return time.monotonic()


class Progress(Watch):
    """Progress on stderr, while the block runs: a line with a clock on a terminal, a line every 10 s elsewhere.

    Called as ``Incumbent``. Only a thread of its own writes, straight to the file: what calls it may be a signal
    handler, and processes that are forked meanwhile inherit no lock of a stream.

    Parameters
    ----------
    quiet
        Nothing is written, and no log message below an error.
    verbose
        Also a line for each step with its seconds, and log messages.
    seconds
        Of the budget; ``None``: no end is known.
    kept
        What Ctrl-C leaves, e.g. ``the best verified result of this moment``.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, seconds: float | None = None, kept: str) -> None:
        self._quiet, self._verbose, self._seconds, self._kept = quiet, verbose, seconds, kept
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._began = self._step_began = self._written = time.monotonic()
        self._step = ""
        self._objective: Value = None
        self._bound: Value = None
        self._unit = ""
        self._shown: Callable[[float], float] | None = None
        self._said: deque[str] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="progress", daemon=True)
        self._before: Any = None
        self._pressed = False
        self._log = _Log(self.say)
        self._level = logging.getLogger().level

    def begin(self) -> float:
        """The clock that is shown counts from now on."""
        self._began = self._step_began = self._written = time.monotonic()
        return self._began

    def __enter__(self) -> Progress:
        """Begin to write."""
        if self._quiet:
            logging.disable(logging.WARNING)
            return self
        if self._verbose:
            logging.getLogger().addHandler(self._log)
            logging.getLogger().setLevel(logging.INFO)
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._interrupted)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Write what is left and clear the line."""
        if self._quiet:
            logging.disable(logging.NOTSET)
            return
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self._verbose:
            logging.getLogger().removeHandler(self._log)
            logging.getLogger().setLevel(self._level)
        self.step("")
        self._over.set()
        self._thread.join()

    def __call__(self, seconds: float, objective: Value, bound: Value) -> None:
        """The values have moved; one that got worse was of sketches, and is said so."""
        del seconds  # of the search alone; the clock shown is that of the whole command
        last = self._objective
        if self._shown and objective is not None and last is not None and objective > last * (1 + _WORSE):
            self.say(f"confirmed: {self._text(objective)}; {self._text(last)} was a sketch's")
        self._objective, self._bound = objective, bound

    def step(self, name: str) -> None:
        """A step begins; ``-v`` prints the one before with its seconds."""
        now = time.monotonic()
        if self._verbose and self._step:
            self.say(f"{now - self._step_began:9.2f} s  {self._step}")
        self._step, self._step_began = name, now

    def unit(self, unit: str, shown: Callable[[float], float]) -> None:
        """Show the values of a study in its own unit."""
        self._unit, self._shown = unit, shown

    def say(self, text: str) -> None:
        """A line that stays."""
        self._said.append(text)

    def line(self) -> str:
        """Step, clock, time left, values and gap, as far as they are known."""
        elapsed = time.monotonic() - self._began
        rest = None if self._seconds is None else self._seconds - elapsed
        left = [] if rest is None else [f"{_clock(rest)} left" if rest >= 0 else f"{_clock(-rest)} over the budget"]
        parts = [*([self._step] if self._step else []), _clock(elapsed), *left]
        objective, bound = self._objective, self._bound
        if objective is not None or bound is not None:
            parts += [f"incumbent {self._text(objective)}", f"bound {self._text(bound)}"]
            largest = max(abs(objective or 0), abs(bound or 0))
            # Of either sense, and of a rate as of the time that it is made from: the distance over the larger of both.
            known = objective is not None and bound is not None and largest > 0
            parts.append(f"gap {100 * abs(objective - bound) / largest:.2f} %" if known else f"gap {UNKNOWN}")  # type: ignore[operator]
        return "  ".join(parts)

    def _text(self, value: Value) -> str:
        if value is None:
            return UNKNOWN
        if self._shown is None:
            return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
        return f"{number(self._shown(value))} {self._unit}".rstrip()

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if not self._pressed:
            self._pressed = True
            self.say(f"interrupted: {self._kept} is kept; press Ctrl-C again to end at once")
        self._before(signum, frame)

    def _write_on(self) -> None:
        """What the thread does, until the block ends."""
        clear = _clear() if self._terminal else ""
        while not self._over.wait(_TICK_S):
            text = self._lines(clear)
            if self._terminal:
                text += clear + self.line()[: shutil.get_terminal_size().columns - 1]
            elif time.monotonic() - self._written >= _LINE_S:
                self._written = time.monotonic()
                text += self.line() + "\n"
            _write(text)
        _write(clear + self._lines(""))

    def _lines(self, clear: str) -> str:
        found = []
        while self._said:
            found.append(f"{clear}{self._said.popleft()}\n")
        return "".join(found)


class _Log(logging.Handler):
    """Log messages as lines among the others."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"{record.name}: {record.getMessage()}")


def _clear() -> str:
    """What empties the line of a terminal; blanks where no escape codes are wanted."""
    return "\r\x1b[2K" if escapes() else f"\r{' ' * (shutil.get_terminal_size().columns - 1)}\r"


def _clock(seconds: float) -> str:
    """Seconds below two minutes, then minutes and seconds."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _write(text: str) -> None:
    if not text:
        return
    with suppress(OSError, ValueError):  # a terminal that has gone away is no reason to lose an answer
        try:
            os.write(sys.stderr.fileno(), text.encode(sys.stderr.encoding or "utf-8", "replace"))
        except ValueError:  # not a file: what tests put in its place
            sys.stderr.write(text)
