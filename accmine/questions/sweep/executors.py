"""Jobs on any ``concurrent.futures.Executor``: on whatever machine, by workers that hold the same accmine.

A job is a function of one JSON value, found by import where it runs, and its answer is one. What runs it is registered
as ``accmine.registry.EXECUTORS`` and entry points of the group ``accmine.executors`` say: a name, and a callable that
returns an executor.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from accmine.errors import InputError, WorkersGoneError
from accmine.questions.run.folder import code_hash, solver_versions
from accmine.registry import make_executor

__all__ = ["Checked", "Job", "Wide", "differences", "identity", "opened", "perform"]

Job = Callable[[Any], Any]
"""A function of a module, of one JSON value; returns one."""

TRIES = 5
"""How often a job is sent before it is given up because every worker that takes it is refused."""

MANY = 100
"""Points that are given at a time to an executor that does not tell how many workers it has."""


def identity() -> dict[str, str]:
    """What has to be equal for two processes to answer alike: versions of all that decides, content of the code."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {**solver_versions(), "python": python, "code": code_hash()[:12]}


def differences(theirs: Any, ours: Mapping[str, str]) -> str:
    """In what a worker differs, in words; empty if in nothing that matters.

    Where versions differ, the code does as a matter of course, and is not told.
    """
    if not isinstance(theirs, Mapping):
        return f"no accmine of this kind ({theirs!s:.80})"
    different = [name for name in ours if theirs.get(name) != ours[name]]
    told = [name for name in different if name != "code"] or different
    words = {"code": "accmine's code"}
    return ", ".join(f"{words.get(name, name)} {theirs.get(name, 'missing')} (here {ours[name]})" for name in told)


def perform(function: Job, argument: Any, ours: Mapping[str, str]) -> dict[str, Any]:
    """Do a job in a worker, unless it holds another accmine; what the job raises is in the answer too.

    So what the future raises is the executor's.
    """
    if found := differences(identity(), ours):
        return {"refused": f"process {os.getpid()} on {socket.gethostname()} has {found}"}
    try:
        return {"value": function(argument)}
    except Exception as error:  # noqa: BLE001 - raised again by the future of whoever asked
        return {"error": error}


class Checked(Executor):
    """An executor whose jobs are done by workers that hold the same accmine as this process.

    A worker that does not is named to ``say``, and its job sent again. A future raises what its job raised, and
    ``WorkersGoneError`` where the executor cannot go on, or every worker that takes the job is refused.
    """

    def __init__(self, inner: Executor, say: Callable[[str], None] = lambda _: None) -> None:
        self._inner, self._say, self._ours = inner, say, identity()
        self._told: set[str] = set()

    @property
    def width(self) -> int:
        """Jobs that are worth giving at a time."""
        return self._inner.width if isinstance(self._inner, Wide) else MANY

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        (argument,) = args
        if kwargs:
            raise TypeError("jobs take one positional argument")
        future: Future[Any] = Future()
        self._send(future, fn, argument, 1)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._inner.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _send(self, future: Future[Any], function: Job, argument: Any, tries: int) -> None:
        try:
            inner = self._inner.submit(perform, function, argument, self._ours)
        except (BrokenExecutor, RuntimeError) as error:
            future.set_exception(_gone(error))
        else:
            inner.add_done_callback(lambda done: self._ended(future, done, function, argument, tries))

    def _ended(self, future: Future[Any], done: Future[Any], function: Job, argument: Any, tries: int) -> None:
        try:
            found = done.result()
        except (BrokenExecutor, CancelledError) as error:
            future.set_exception(_gone(error))
        except BaseException as error:  # noqa: BLE001 - of the executor: this job could not be done
            future.set_exception(error)
        else:
            if "value" in found:
                future.set_result(found["value"])
            elif "error" in found:
                future.set_exception(found["error"])
            else:
                self._refuse(found["refused"])
                if tries < TRIES:
                    self._send(future, function, argument, tries + 1)
                else:
                    message = f"every worker that took a job was refused: {found['refused']}; install the same there"
                    future.set_exception(WorkersGoneError(message))

    def _refuse(self, who: str) -> None:
        if who not in self._told:
            self._told.add(who)
            self._say(f"refused a worker: {who}")


@runtime_checkable
class Wide(Protocol):
    """What an executor may have: ``width``, how many jobs are worth giving it at a time."""

    @property
    def width(self) -> int:
        """At this moment."""
        ...


def _gone(error: BaseException) -> WorkersGoneError:
    return WorkersGoneError(f"the executor cannot go on: {type(error).__name__}: {error!s:.300}")


@contextmanager
def opened(name: str, *arguments: Any, say: Callable[[str], None] = lambda _: None) -> Iterator[Checked]:
    """The executor that is registered as ``name``; what waits in it is cancelled at the end.

    Raises
    ------
    InputError
        If there is none of this name, or it is no executor.
    """
    executor = make_executor(name, *arguments)
    if not isinstance(executor, Executor):
        found = f"{type(executor).__module__}.{type(executor).__qualname__}"
        raise InputError(f"the executor {name!r} is a {found}; it must be a concurrent.futures.Executor")
    try:
        yield Checked(executor, say)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
