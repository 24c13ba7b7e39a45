"""The one place that runs HiGHS on a program given as a matrix, and that owns its threads.

HiGHS has one pool of threads per process, as large as its first run asked for; a run that asks for another number
ends with an error until the pool is given back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any

import highspy

__all__ = ["failures", "own_threads", "run"]

_FAILED: ContextVar[list[str]] = ContextVar("failed")


@contextmanager
def failures() -> Iterator[list[str]]:
    """What failed inside the block, a line per program, for those who have to say that a bound is without it."""
    failed: list[str] = []
    token = _FAILED.set(failed)
    try:
        yield failed
    finally:
        _FAILED.reset(token)


def own_threads() -> None:
    """Let the next run of HiGHS in this process have the number of threads that it asks for."""
    highspy.Highs.resetGlobalScheduler(True)


def run(program: Any, *, seconds: float = inf, **options: Any) -> Any | None:
    """The engine after a run on ``program`` (a ``HighsLp``) with one thread; ``None`` if it failed, which is logged.

    Parameters
    ----------
    seconds
        Wall-clock limit.
    options
        Of HiGHS, by name.
    """
    own_threads()
    engine = highspy.Highs()
    engine.setOptionValue("output_flag", False)
    given = options | {"threads": 1} | ({"time_limit": seconds} if seconds < inf else {})
    for name, value in given.items():
        engine.setOptionValue(name, value)
    engine.passModel(program)
    if engine.run() == highspy.HighsStatus.kError:
        what = f"HiGHS failed on a program of {program.num_row_} rows and {program.num_col_} columns"
        logging.getLogger(__name__).warning(what)
        _FAILED.get([]).append(what)
        return None
    return engine
