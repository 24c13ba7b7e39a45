"""Whole numbers as descriptions write them: expressions over names, texts with ``{…}`` in them, and what is wrong.

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "//" | "%") signed)*
    signed  = "-" signed | number | name | "(" sum ")" | ("min" | "max" | "ceildiv") "(" sum ("," sum)* ")"

``//`` and ``%`` round down, as in Python; ``ceildiv(a, b)`` rounds up. Every result on the way is an int64.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from accmine.errors import Complaint, InputError
from accmine.files import Document, Place, did_you_mean

__all__ = [
    "FUNCTIONS",
    "LONGEST",
    "MOST",
    "Complaints",
    "Expression",
    "evaluate",
    "filled",
    "may_name",
    "parse",
    "substituted",
]

FUNCTIONS = ("min", "max", "ceildiv")
LONGEST = 1000
"""Characters of an expression."""
MOST = 2**63 - 1
"""Greatest number that is computed with."""

_DEEPEST = 50
_SEARCHED, _SHOWN = 2000, 20  # names that are compared with an unknown one, and that a message shows
_TOKEN = re.compile(r"\s*(?:([0-9]+(?:_[0-9]+)*)|([A-Za-z_][A-Za-z_0-9]*)|(//|[-+*%(),]))")
_HOLE = re.compile(r"\{([^{}]*)\}")
_SAYS = "allowed: whole numbers, names, + - * // % ( ), min, max and ceildiv"


@dataclass(frozen=True)
class Expression:
    """An expression that was read.

    Attributes
    ----------
    names
        What it needs, in order of appearance.
    steps
        Numbers, names and operations, operands first; an operation knows how many it takes.
    """

    text: str
    names: tuple[str, ...]
    steps: tuple[int | str | tuple[str, int], ...]


class _Parser:
    """Reads by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.steps: list[int | str | tuple[str, int]] = []

    def wrong(self, message: str) -> InputError:
        return InputError(f"{message} in {_shown(self.text)}; {_SAYS}")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        taken = self.peek() == token
        self.at += taken
        return taken

    def need(self, token: str) -> None:
        if not self.take(token):
            quoted = "" if self.peek() else " (where YAML has it in { } or [ ], a comma needs quotes around the text)"
            raise self.wrong(f"{token!r} is missing before {self.peek() or 'the end'!r}{quoted}")

    def operations(self, level: int = 0) -> None:
        """A sum (level 0), a product (1) or what is signed (2)."""
        if level == 2:
            return self.signed()
        self.operations(level + 1)
        while (token := self.peek()) in (("+", "-"), ("*", "//", "%"))[level]:
            self.at += 1
            self.operations(level + 1)
            self.steps.append((token, 2))
        return None

    def signed(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.wrong(f"more than {_DEEPEST} levels")
        token = self.peek()
        if not token:
            raise self.wrong("something is missing at the end")
        self.at += 1
        if token == "-":
            self.signed()
            self.steps.append(("negative", 1))
        elif token == "(":
            self.operations()
            self.need(")")
        elif token[0].isdigit():
            self.steps.append(int(token))
        elif token in FUNCTIONS:
            self.need("(")
            self.arguments(token)
        elif token.isidentifier():
            if self.peek() == "(":
                raise self.wrong(f"there is no function {token!r}")
            self.steps.append(token)
        else:
            raise self.wrong(f"{token!r} stands where a number is expected")
        self.depth -= 1

    def arguments(self, function: str) -> None:
        count = 1
        self.operations()
        while self.take(","):
            self.operations()
            count += 1
        self.need(")")
        if function == "ceildiv" and count != 2:
            raise self.wrong(f"ceildiv takes two numbers, not {count},")
        self.steps.append((function, count))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}…")


def _tokens(text: str) -> list[str]:
    if len(text) > LONGEST:
        raise InputError(f"an expression has at most {LONGEST} characters, this one {len(text)}")
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].lstrip()
            sign = "'/' (use // or ceildiv)" if rest[0] == "/" else repr(rest[0])
            raise InputError(f"{sign} in {_shown(text)}: not understood; {_SAYS}")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


@lru_cache(maxsize=65536)
def parse(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    InputError
        With what is wrong and what is allowed; no place.
    """
    parser = _Parser(text)
    parser.operations()
    if parser.peek():
        raise parser.wrong(f"{parser.peek()!r} follows a whole expression")
    names = dict.fromkeys(step for step in parser.steps if isinstance(step, str))
    return Expression(text, tuple(names), tuple(parser.steps))


def _operated(operation: str, values: list[int], text: str) -> int:
    if operation in ("//", "%", "ceildiv") and values[1] == 0:
        raise InputError(f"{_shown(text)} divides by 0")
    match operation:
        case "+":
            result = values[0] + values[1]
        case "-":
            result = values[0] - values[1]
        case "*":
            result = values[0] * values[1]
        case "//":
            result = values[0] // values[1]
        case "%":
            result = values[0] % values[1]
        case "ceildiv":
            result = -(-values[0] // values[1])
        case "negative":
            result = -values[0]
        case _:
            result = min(values) if operation == "min" else max(values)
    return result


def evaluate(value: int | str, names: Mapping[str, int]) -> int:
    """The number that an expression stands for.

    Raises
    ------
    InputError
        For what ``parse`` refuses, a name that is not known, a division by 0, and numbers beyond int64.
    """
    if isinstance(value, int):
        return value
    expression = parse(value)
    stack: list[int] = []
    for step in expression.steps:
        if isinstance(step, tuple):
            operation, count = step
            stack[-count:] = [_operated(operation, stack[-count:], value)]
        elif isinstance(step, int):
            stack.append(step)
        elif step in names:
            stack.append(names[step])
        else:
            known = ", ".join(sorted(names)) or "none"
            raise InputError(f"unknown name {step!r} in {_shown(value)}; {did_you_mean(step, names)}known: {known}")
        if abs(stack[-1]) > MOST:
            raise InputError(f"{_shown(value)} passes {MOST}, the greatest number that is computed with")
    return stack[0]


def substituted(text: str, names: Mapping[str, int]) -> str:
    """The expression with numbers for some of its names."""
    return " ".join(f"({names[token]})" if token in names else token for token in _tokens(text))


def filled(text: str, names: Mapping[str, int]) -> str:
    """A text with the numbers of the expressions that stand in braces: ``pe_{r}_{c+1}``.

    Raises
    ------
    InputError
        As ``evaluate``; for braces without partner as well.
    """
    if "{" not in text and "}" not in text:
        return text
    done = _HOLE.sub(lambda hole: str(evaluate(hole.group(1), names)), text)
    if "{" in done or "}" in done:
        raise InputError(f"{text!r} has a brace without partner; write {{expression}}")
    return done


def may_name(template: str, names: Iterable[str]) -> bool:
    """Whether a text with braces names one of these for some numbers, though not for those that there are."""
    pattern = re.compile("-?[0-9]+".join(map(re.escape, re.split(r"\{[^{}]*\}", template))))
    return any(pattern.fullmatch(name) for name in names)


class Complaints:
    """What is wrong with a description, one complaint at a place: of a hundred repetitions the first.

    Parameters
    ----------
    document
        In which places are; ``None``: the description was made by a program, and complaints name fields only.
    """

    def __init__(self, document: Document | None) -> None:
        self.document = document
        self.found: dict[Place, Complaint] = {}

    def add(self, place: Place, message: str, *, key: bool = False) -> None:
        """Complain about the value at ``place``, or about its key."""
        if place not in self.found:
            where = "" if self.document is None else self.document.locate(place, key=key)
            self.found[place] = Complaint(where, ".".join(map(str, place)), message)

    def number(self, value: int | str, names: Mapping[str, int], place: Place, least: int = 0) -> int:
        """The number of an expression; ``least`` after a complaint."""
        try:
            number = evaluate(value, names)
        except InputError as error:
            self.add(place, error.complaints[0].message)
            return least
        if not least <= number <= MOST:
            self.add(place, f"must be {f'at least {least}' if number < least else f'at most {MOST}'}, is {number}")
            return least
        return number

    def text(self, text: str, names: Mapping[str, int], place: Place, *, key: bool = False) -> str:
        """A text with numbers in its braces; empty after a complaint."""
        try:
            return filled(text, names)
        except InputError as error:
            self.add(place, error.complaints[0].message, key=key)
            return ""

    def unknown(self, place: Place, says: str, word: str, names: Iterable[str], *, key: bool = False) -> None:
        """Complain about a word that is none of the names, of which the nearest and the first are shown."""
        if place in self.found:  # of many repetitions: the search for what is near takes a while
            return
        known = list(islice(names, _SEARCHED))
        some = f"{', '.join(known[:_SHOWN])}{' …' if len(known) > _SHOWN else ''}" or "nothing"
        self.add(place, f"{says}; {did_you_mean(word, known)}allowed: {some}", key=key)

    def raise_any(self) -> None:
        """End here if something was wrong.

        Raises
        ------
        InputError
            With all of it.
        """
        if self.found:
            raise InputError(list(self.found.values()))
