"""What a word of a file means: nothing, true or false, a number, or text.

The words are those of YAML 1.1, less what it reads as another number than the one that stands there: octal, binary,
hexadecimal and base-60 numbers are refused, dates stay text, and ``1e3`` is a number in YAML as in JSON.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from accmine.errors import InputError

__all__ = ["MAX_DIGITS", "json_value", "number", "plain_value", "text_value"]

MAX_DIGITS = 308
"""Digits of the longest whole number that is read: beyond it no floating-point number holds it."""

_EXACT = 2**53  # below it every whole number is a floating-point number
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form: True for word in ("true", "yes", "on") for form in (word, word.capitalize(), word.upper())},
    **{form: False for word in ("false", "no", "off") for form in (word, word.capitalize(), word.upper())},
}
_DIGITS = r"(?:0|[1-9][0-9]*(?:_[0-9]+)*)"
_WHOLE = re.compile(rf"[-+]?{_DIGITS}")
_DECIMAL = re.compile(rf"[-+]?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"([-+]?)0[0-9_]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_OTHER_BASE = re.compile(r"[-+]?0(?:b[01_]*[01]|o[0-7_]*[0-7]|x[0-9a-fA-F_]*[0-9a-fA-F])")
_BASE_60 = re.compile(r"([-+]?)([0-9][0-9_]*(?::[0-5]?[0-9])+)(?:\.[0-9_]*)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"


def number(text: str, exact: bool = False) -> int | float | Decimal:
    """The number of a text with a decimal point or an exponent.

    Parameters
    ----------
    exact
        Fractions as ``decimal.Decimal`` instead of floating-point numbers.

    Returns
    -------
    int, float or Decimal
        An integer for a whole number without a point (``1e3``), as far as floating-point numbers are exact.

    Raises
    ------
    InputError
        If no floating-point number is near it.
    """
    value = float(text)
    if math.isinf(value):
        raise InputError(f"{_shown(text)} is too large for a number; allowed: up to 1.7e308")
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise InputError(f"{_shown(text)} is too small for a number; allowed: 0, and from 5e-324 on")
    if "." not in text and abs(value) < _EXACT and value.is_integer():
        return int(value)
    return Decimal(text) if exact else value


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise InputError(f"{_shown(text)} has {len(text)} digits; allowed: up to {MAX_DIGITS}")
    return int(text)


def plain_value(text: str, exact: bool = False) -> Any:
    """The value of a word of YAML that stands without quotes.

    Raises
    ------
    InputError
        For a number that YAML 1.1 reads as another one, with the numbers that may be meant, and for one that is
        not finite or too large.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text_value(text)
    if _WHOLE.fullmatch(text):
        return _whole(text.replace("_", ""))
    if _DECIMAL.fullmatch(text):
        return number(text.replace("_", ""), exact)
    _refuse_misread(text)
    return text_value(text)


def _refuse_misread(text: str) -> None:
    shown = _shown(text)
    quoted = f"or {shown!r} in quotes for a text"
    short = len(text) <= 40  # longer ones were meant as no number
    if _NOT_FINITE.fullmatch(text):
        raise InputError(f"must be a finite number, got {shown}; {shown!r} in quotes is a text")
    if _OTHER_BASE.fullmatch(text):
        meant = f"write {int(text.replace('_', ''), 0)}" if short else "write it out"
        raise InputError(f"{shown}: numbers are read in base 10 only; {meant}, {quoted}")
    zero = _LEADING_ZERO.fullmatch(text)
    if zero is not None:
        sign, digits = zero[1], text.replace("_", "").lstrip("+-").lstrip("0")
        meant = sign + (digits if digits[:1].isdigit() else f"0{digits}")
        octal = ""
        if short and re.fullmatch("[-+]?[0-7_]+", text) and int(digits or "0", 8) != int(digits or "0"):
            octal = f" ({sign}{int(digits, 8)}, if the octal number of YAML 1.1 is meant)"
        raise InputError(f"{shown} has a leading zero; write {_shown(meant)}{octal}, {quoted}")
    sixty = _BASE_60.fullmatch(text)
    if sixty is not None:
        value = 0
        for part in sixty[2].replace("_", "").split(":") if short else ():
            value = 60 * value + int(part)
        meant = f" ({sixty[1]}{value})" if short and "." not in text else ""
        raise InputError(f"{shown} is a number in base 60 to YAML 1.1{meant}; write it in base 10, {quoted}")


def text_value(text: str) -> str:
    """The text, where it can be written down again.

    Raises
    ------
    InputError
        If it holds half of a surrogate pair, which is no character.
    """
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise InputError("holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    return text


def json_value(token: str, exact: bool = False) -> Any:
    """The value of a token of JSON that is no string.

    Raises
    ------
    InputError
        For ``NaN`` and infinities, and for numbers that are too large.
    """
    if token in ("null", "true", "false"):
        return _WORDS[token]
    if token.lstrip("-") in ("NaN", "Infinity"):
        raise InputError(f"{token} is not a JSON number; a finite number is needed")
    return _whole(token) if re.fullmatch("-?[0-9]+", token) else number(token, exact)
