"""What a network truly loses at chosen levels: a function of the user, in a worker process with a time limit."""

from __future__ import annotations

import importlib
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from types import FunctionType
from typing import Any, Protocol, runtime_checkable

from accmine.errors import InputError, WorkerLostError
from accmine.workers import stop_workers, workers

__all__ = ["Asked", "Callback", "EvaluationError", "Measured", "evaluator"]

Callback = Callable[[Mapping[str, str]], Any]
"""Name of each layer -> name of its level; returns a number, or a mapping with ``value`` and numbers to be shown."""

Asked = Callable[[Mapping[str, str]], "Measured"]

_VALUE = "value"

_LOOK_S = 0.2
"""How long an interrupt waits that another thread heard: only the one that waits can raise it."""


class EvaluationError(InputError):
    """A callback that cannot be imported, raises, hangs, ends its process, or returns no number (exit code 2).

    Attributes
    ----------
    why
        ``import``, ``raised``, ``time``, ``died`` or ``number``.
    outcome
        The rounds before it, an ``accmine.questions.sparse.truth.loop.Outcome``; ``None`` outside of a loop.
    """

    def __init__(self, why: str, message: str, where: str = "", field: str = "") -> None:
        super().__init__(message, where, field)
        self.why = why
        self.outcome: Any = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a callback said of some levels.

    Attributes
    ----------
    value
        Accuracy in percent, or loss in points.
    others
        Further numbers, which decide nothing.
    """

    value: float
    others: tuple[tuple[str, float], ...] = ()


@runtime_checkable
class _Array(Protocol):
    """Of any package; ``item`` refuses where there is more than one number."""

    def item(self) -> Any:
        """Its only number."""


class _NoNumberError(Exception):
    """What is wrong with a returned value."""


def _number(value: Any, what: str) -> float:
    if isinstance(value, _Array):
        try:
            value = value.item()
        except (ValueError, RuntimeError, TypeError):
            raise _NoNumberError(f"{what} is {value!r:.80}, no number") from None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _NoNumberError(f"{what} is {value!r:.80}, no number")
    if not math.isfinite(value):
        raise _NoNumberError(f"{what} is {float(value)}; a finite number is needed")
    return float(value)


def _measured(value: Any) -> Measured:
    if not isinstance(value, Mapping):
        return Measured(_number(value, "what it returned"))
    if _VALUE not in value:
        raise _NoNumberError(f"it returned a mapping without {_VALUE!r}: {', '.join(map(str, value))}")
    others = {str(name): _number(own, f"{name!r} of what it returned") for name, own in value.items()}
    return Measured(others.pop(_VALUE), tuple(others.items()))


def _said(error: BaseException) -> str:
    """Class and message of an error, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and not frame.filename.startswith("<frozen")]
    at = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{at}"


def _tried(function: Callback, levels: Mapping[str, str]) -> tuple[str, Any]:
    """(why not, in words) or ("", what was measured)."""
    try:
        return "", _measured(function(dict(levels)))
    except _NoNumberError as error:
        return "number", str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - also what ends a program: it is named
        return "raised", f"it raised {_said(error)}"


def _name_of(function: Callback) -> str:
    return function.__qualname__ if isinstance(function, FunctionType) else type(function).__qualname__


def _in_worker(target: str, folders: tuple[str, ...], levels: Mapping[str, str]) -> tuple[str, Any]:
    sys.path[:] = [*folders, *(own for own in sys.path if own not in folders)]
    module, _, name = target.partition(":")
    try:
        function = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
    except BaseException as error:  # noqa: BLE001 - a module may do anything when it is imported
        return "import", f"it cannot be imported: {_said(error)}"
    if not callable(function):
        return "import", "it is not callable"
    return _tried(function, levels)


@contextmanager
def evaluator(
    target: str | Callback, *, limit_s: float = 60.0, folders: tuple[str, ...] = (), where: str = "", field: str = ""
) -> Iterator[Asked]:
    """Yields what measures levels; one process for all of them, so that a model is loaded once.

    Parameters
    ----------
    target
        ``module:function``, or a function, which is called in this process and without limit.
    limit_s
        Of each call; the first one imports the module.
    folders
        Where the module is looked for first.
    where, field
        Where the name stands, for errors.

    Raises
    ------
    InputError
        If the name is not of the form ``module:function``.
    EvaluationError
        By what is yielded.
    """
    named = target if isinstance(target, str) else _name_of(target)

    def told(answer: tuple[str, Any]) -> Measured:
        why, value = answer
        if why:
            raise EvaluationError(why, f"{named}: {value}", where, field)
        measured: Measured = value
        return measured

    if not isinstance(target, str):
        yield lambda levels: told(_tried(target, levels))
        return
    module, _, name = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise InputError(f"{target!r} is not allowed; allowed: module:function", where, field)
    with workers(1, [], apart=True) as pool:
        assert pool is not None

        def ask(levels: Mapping[str, str]) -> Measured:
            try:
                job = pool.submit(_in_worker, target, folders, dict(levels))
                until = time.monotonic() + limit_s
                while not wait([job], max(0.0, min(_LOOK_S, until - time.monotonic()))).done:
                    if time.monotonic() >= until:
                        stop_workers(pool)
                        raise EvaluationError("time", f"{named}: no answer in {limit_s:g} s", where, field)
                return told(job.result())
            except (WorkerLostError, CancelledError) as error:
                raise EvaluationError("died", f"{named}: {error}", where, field) from None

        yield ask
