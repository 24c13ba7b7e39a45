"""What the readers of problems have in common: objects with known keys, and all complaints at once."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from accmine.errors import Complaint, InputError

__all__ = ["Reader", "join", "near", "whole_by_name"]

_FRACTION = re.compile(r"(\d{1,18})/(\d{1,18})\Z")


@dataclass
class Reader:
    """Collects complaints while an object is read; a value that is not allowed becomes one that reading can go on with.

    Attributes
    ----------
    where
        Of the object, in complaints.
    """

    where: str
    complaints: list[Complaint] = field(default_factory=list)

    def wrong(self, path: str, message: str) -> None:
        """Note what is wrong at a path."""
        self.complaints.append(Complaint(self.where, path, message))

    def mapping(self, value: Any, path: str, keys: Sequence[str], needed: Sequence[str] = ()) -> Mapping[str, Any]:
        """An object with these keys only."""
        if not isinstance(value, Mapping):
            self.wrong(path, f"{value!r:.60} is not allowed; an object with {', '.join(keys)} is needed")
            return {}
        for key in value:
            if key not in keys:
                self.wrong(join(path, str(key)), f"unknown key{near(str(key), keys) or ';'} allowed: {', '.join(keys)}")
        for key in needed:
            if key not in value:
                self.wrong(join(path, key), "missing")
        return value

    def rows(self, value: Any, path: str) -> list[Any]:
        """A list."""
        if not isinstance(value, list):
            self.wrong(path, f"{value!r:.60} is not allowed; a list is needed")
            return []
        return value

    def whole(self, value: Any, path: str, least: int | None = None) -> int:
        """A whole number."""
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            rule = "" if least is None else f" of at least {least}"
            said = str(value) if isinstance(value, Decimal) else repr(value)
            self.wrong(path, f"{said:.60} is not allowed; a whole number{rule} is needed")
            return 1 if least is None else least
        return value

    def fraction(self, value: Any, path: str) -> Fraction:
        """A number, or a fraction as a text."""
        read = _FRACTION.match(value) if isinstance(value, str) else None
        if read is not None and int(read[2]):
            return Fraction(int(read[1]), int(read[2]))
        finite = isinstance(value, int) or (
            isinstance(value, float | Decimal) and math.isfinite(value) and abs(Decimal(value).adjusted()) < 20
        )
        if isinstance(value, bool) or not finite:
            self.wrong(path, f"{value!r:.60} is not allowed; a number, or a text such as '21/2', is needed")
            return Fraction(1)
        return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)

    def text(self, value: Any, path: str) -> str:
        """A text."""
        if not isinstance(value, str):
            self.wrong(path, f"{value!r:.60} is not allowed; a text is needed")
            return ""
        return value


def whole_by_name(obj: Any, where: str, key: str, names: Sequence[str], unread: Sequence[str] = ()) -> tuple[int, ...]:
    """The whole numbers of a solution such as ``{"devices": {"a": 0, "b": 1}}``.

    Parameters
    ----------
    where
        Of the object, in complaints.
    names
        What needs a number each; of what is returned as well.
    unread
        Keys beside ``key`` that may be there and mean nothing, as what the solution is worth.

    Raises
    ------
    InputError
        For a name without number or one that is none, another key, and what is no whole number.
    """
    reader = Reader(where)
    row = reader.mapping(obj, "", (key, *unread), (key,))
    given = reader.mapping(row.get(key, dict.fromkeys(names, 1)), key, names, names)
    numbers = tuple(reader.whole(given.get(name, 1), f"{key}.{name}") for name in names)
    if reader.complaints:
        raise InputError(reader.complaints)
    return numbers


def join(path: str, key: str) -> str:
    """The path of a key."""
    return f"{path}.{key}" if path else key


def near(word: str, known: Iterable[str]) -> str:
    """What may have been meant, in words; empty where nothing is near."""
    found = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
