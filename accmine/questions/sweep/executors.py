"""Jobs on any ``concurrent.futures.Executor``: on whatever machine, by workers that hold the same accmine.

A job is a function of one JSON value, found by import where it runs, and its answer is one. What runs it is registered
as ``accmine.registry.EXECUTORS`` and entry points of the group ``accmine.executors`` say: a name, and a callable that
returns an executor.
"""

from __future__ import annotations

import os
import platform
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from accmine.errors import AccmineError, InputError, WorkersGoneError
from accmine.questions.run.folder import code_hash, solver_versions
from accmine.registry import make_executor

__all__ = ["Answer", "Job", "answers", "differences", "identity", "opened", "perform"]

Job = Callable[[Any], Any]
"""A function of a module, of one JSON value; returns one."""

TRIES = 5
"""How often a job is sent before it is given up because every worker that takes it is refused."""


@dataclass(frozen=True)
class Answer:
    """What a job came to.

    Attributes
    ----------
    value
        What the function returned; ``None`` with an error.
    error
        What it raised, or how its worker was lost; empty when it returned.
    detail
        The traceback there; empty for errors that accmine raises on purpose.
    """

    key: str
    value: Any = None
    error: str = ""
    detail: str = ""


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
    """Do a job in a worker; what it raises is told, never raised: what is raised is then the executor's."""
    if found := differences(identity(), ours):
        return {"refused": f"process {os.getpid()} on {socket.gethostname()} has {found}"}
    try:
        return {"value": function(argument)}
    except AccmineError as error:
        return {"error": str(error), "detail": ""}
    except Exception as error:  # noqa: BLE001 - whatever a job raises is a row of the table
        said = " ".join(str(error).split())[:300]
        return {"error": f"{type(error).__name__}: {said}", "detail": traceback.format_exc()}


def answers(
    executor: Executor, function: Job, jobs: Mapping[str, Any], say: Callable[[str], None] = lambda _: None
) -> Iterator[Answer]:
    """Do ``function`` for every argument in ``jobs``; yields as they end, in whatever order.

    A job whose worker is lost is an answer with an error, as one that raises. A worker that holds another accmine is
    named to ``say`` and its job sent again. What has not ended when the iterator is closed is cancelled.

    Raises
    ------
    InputError
        If a job is refused by every worker that takes it, or the executor says so of all.
    WorkersGoneError
        If the executor cannot go on.
    """
    ours, told = identity(), set()
    pending: dict[Future[dict[str, Any]], tuple[str, int]] = {}

    def send(key: str, tries: int) -> None:
        try:
            pending[executor.submit(perform, function, jobs[key], ours)] = key, tries
        except (BrokenExecutor, RuntimeError) as error:
            raise _gone(error) from None

    try:
        for key in jobs:
            send(key, 1)
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                key, tries = pending.pop(future)
                found = _result(future)
                refused = found.get("refused")
                if refused is None:
                    yield Answer(key, **found)
                    continue
                if refused not in told:
                    told.add(refused)
                    say(f"refused a worker: {refused}")
                if tries == TRIES:
                    raise InputError(f"no worker of the executor may take the jobs: {refused}; install the same there")
                send(key, tries + 1)
    finally:
        for future in pending:
            future.cancel()


def _result(future: Future[dict[str, Any]]) -> dict[str, Any]:
    try:
        return future.result()
    except InputError:  # a job's own is told by its answer
        raise
    except (WorkersGoneError, BrokenExecutor, CancelledError) as error:
        raise _gone(error) from None
    except Exception as error:  # noqa: BLE001 - of the executor: this job could not be done
        return {"error": str(error) if isinstance(error, AccmineError) else f"{type(error).__name__}: {error!s:.300}"}


def _gone(error: BaseException) -> WorkersGoneError:
    if isinstance(error, WorkersGoneError):
        return error
    return WorkersGoneError(f"the executor cannot go on: {type(error).__name__}: {error!s:.300}")


@contextmanager
def opened(name: str, *arguments: Any) -> Iterator[Executor]:
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
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
