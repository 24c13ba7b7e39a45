"""Worker processes that inherit the large objects of a run instead of being sent them with every job."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

__all__ = ["stop_workers", "workers"]


@dataclass(frozen=True, slots=True)
class _Shared:
    """Stands for an inherited object in the arguments of a job."""

    index: int


_INHERITED: list[Any] = []


def _inherit(objects: Sequence[Any]) -> None:
    _INHERITED[:] = objects
    # Ctrl-C reaches all processes of a terminal: this one's parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call(function: Callable[..., Any], arguments: Any) -> Any:
    return function(*_resolve(arguments))


def _resolve(value: Any) -> Any:
    if isinstance(value, _Shared):
        return _INHERITED[value.index]
    if isinstance(value, (tuple, list)):
        return type(value)(_resolve(item) for item in value)
    return value


class _Pool(ProcessPoolExecutor):
    """A process pool that replaces inherited objects, alone or in tuples and lists, by references."""

    def __init__(self, count: int, inherited: Sequence[Any]) -> None:
        # Forked: nothing is pickled on the way to a new worker, and scripts need no main guard.
        super().__init__(count, mp_context=get_context("fork"), initializer=_inherit, initargs=(inherited,))
        self._index = {id(item): i for i, item in enumerate(inherited)}
        self._keep = inherited

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if kwargs:
            raise TypeError("jobs take positional arguments only")
        return super().submit(_call, fn, self._refer(args))

    def terminate(self) -> None:
        """End the processes, without waiting for what they do."""
        # The executor of Python 3.14 has a method for it; before, its own table is the only one that knows them.
        for process in list((self._processes or {}).values()):
            process.terminate()

    def _refer(self, value: Any) -> Any:
        if id(value) in self._index:
            return _Shared(self._index[id(value)])
        if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
            return type(value)(self._refer(item) for item in value)
        return value


@contextmanager
def workers(count: int, inherited: Sequence[Any]) -> Iterator[Executor | None]:
    """A pool of ``count`` processes; ``None`` for one, whose work is then done in this process.

    Parameters
    ----------
    inherited
        Objects that jobs may name in their arguments without being sent: tasks, cost tables.
    """
    if count == 1:
        yield None
        return
    pool = _Pool(count, inherited)
    try:
        yield pool
    except BaseException:
        stop_workers(pool)
        raise
    pool.shutdown()


def stop_workers(pool: Executor) -> None:
    """End the workers of ``pool`` at once, and no other process; what they were doing is lost."""
    if isinstance(pool, _Pool):
        pool.terminate()
    # The pool notices that its workers are gone; waiting for that leaves nothing to do at exit.
    pool.shutdown(wait=True, cancel_futures=True)
