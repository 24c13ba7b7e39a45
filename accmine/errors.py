"""The ways accmine says no, one class per exit code of the command line."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "DEFECT",
    "AccmineError",
    "CheckError",
    "Complaint",
    "InfeasibleError",
    "InputError",
    "NothingFoundError",
    "WorkerLostError",
    "WorkersGoneError",
]


DEFECT = 70
"""Exit code of the command line for whatever is raised by mistake (EX_SOFTWARE of BSD's sysexits)."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with an input.

    Attributes
    ----------
    where
        ``file:line:column`` of the offending value, as exact as the source allows.
    field
        Dotted path of the field, e.g. ``limits.area``; empty for the file as a whole.
    message
        What is wrong and what is allowed.
    """

    where: str
    field: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.field, self.message) if part)


class AccmineError(Exception):
    """Base of all errors that accmine raises on purpose; ``exit_code`` is the command line's."""

    exit_code = 2


class InputError(AccmineError):
    """The input is wrong (exit code 2): every complaint at once, nothing was written."""

    exit_code = 2

    def __init__(self, complaints: Sequence[Complaint] | str, where: str = "", field: str = "") -> None:
        if isinstance(complaints, str):
            complaints = [Complaint(where, field, complaints)]
        self.complaints = tuple(complaints)
        super().__init__("\n".join(map(str, self.complaints)))


class InfeasibleError(AccmineError):
    """Proven that no solution exists (exit code 1).

    Attributes
    ----------
    summary
        What is impossible, in a sentence.
    conflict
        The limits in conflict, in the words of the input: ``key: value`` each.
    remedy
        The least change that helps, ``key: change``: one line for each limit, then further ones. These are enough by
        themselves, and come first in the message.
    places, where
        Of each limit: keys and indices that lead to it in its document, and ``file:line:column``, empty
        while it is not known; both empty if the limits stand in no document.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        conflict: Sequence[str] = (),
        remedy: Sequence[str] = (),
        places: Sequence[tuple[str | int, ...]] = (),
        where: Sequence[str] = (),
    ) -> None:
        self.summary = message
        self.conflict = tuple(conflict)
        self.remedy = tuple(remedy)
        self.places = tuple(map(tuple, places))
        self.where = tuple(where) or ("",) * len(self.places)
        lines = list(self.remedy)
        for i, (limit, place) in enumerate(zip(self.conflict, self.where, strict=bool(self.places))):
            if place:
                lines[i] = f"{limit} ({place}) -> {self.remedy[i].partition(': ')[2]}"
        limits = len(self.conflict)
        super().__init__("\n".join([message, *lines[limits:], *lines[:limits]]))

    @classmethod
    def from_json(cls, data: Any) -> InfeasibleError:
        """The inverse of ``to_json``.

        Raises
        ------
        InputError
            If a field is missing or of the wrong type.
        """
        lists = [data.get(key, []) for key in ("conflict", "remedy", "places", "where")]
        if not isinstance(data.get("message"), str):
            raise InputError("a text is needed", field="message")
        for key, rows in zip(("conflict", "remedy", "places", "where"), lists, strict=True):
            kind = list if key == "places" else str
            if not isinstance(rows, list) or not all(isinstance(row, kind) for row in rows):
                raise InputError(f"a list of {'places' if kind is list else 'texts'} is needed", field=key)
        conflict, remedy, places, where = lists
        if any((places or where) and len(rows) != len(conflict) for rows in (remedy[: len(conflict)], places, where)):
            raise InputError("needs one remedy, one place and one position for each limit in conflict")
        return cls(data["message"], conflict, remedy, places, where)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as the result of a run holds them."""
        return {
            "status": "infeasible",
            "message": self.summary,
            "conflict": list(self.conflict),
            "remedy": list(self.remedy),
            "where": list(self.where),
            "places": [list(place) for place in self.places],
        }


class NothingFoundError(AccmineError):
    """Nothing was found in time, and not proven that there is nothing (exit code 4).

    Attributes
    ----------
    bound
        What is proven of the objective all the same; ``None``: nothing.
    """

    exit_code = 4

    def __init__(self, message: str, bound: float | None = None) -> None:
        self.bound = bound
        super().__init__(message)


class CheckError(AccmineError):
    """A solution failed its own problem's check (exit code 3): a defect, never a report."""

    exit_code = 3


class WorkerLostError(AccmineError):
    """A worker process ended in the midst of a job, and so did the one that began it again (exit code 4).

    Attributes
    ----------
    job
        Name of the function.
    code
        Exit code of the second process; minus the number of the signal that ended it.
    """

    exit_code = 4

    def __init__(self, job: str, code: int) -> None:
        self.job, self.code = job, code
        how = f"ended by itself with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        memory = " (memory may be short: fewer workers need less of it)" if code == -signal.SIGKILL else ""
        super().__init__(f"the worker process of {job} {how}{memory}, as the one before it did")

    def __reduce__(self) -> tuple[type[WorkerLostError], tuple[str, int]]:
        return type(self), (self.job, self.code)


class WorkersGoneError(AccmineError):
    """What runs the jobs went away, with jobs left to do (exit code 4); what had ended is kept."""

    exit_code = 4
