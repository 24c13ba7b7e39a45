"""A command asked by a program: options by the names that the command line has, the answer as JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import typer

from accmine.errors import InputError
from accmine.files import did_you_mean
from accmine.questions.options import INTERRUPTED

__all__ = ["ask"]

_WRONG: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What typer says of words that are wrong: of the click that it uses, which may be its own."""

_HIDDEN = frozenset({"as_json", "quiet", "verbose", "help"})
"""Options on how a command shows itself."""


def ask(question: str, name: str, arguments: Sequence[Any] = (), options: Mapping[str, Any] | None = None) -> Any:
    """What a command prints with ``--json``, or its text where it has no such option.

    Parameters
    ----------
    question, name
        Folder of ``accmine.questions``, and the command.
    options
        ``None`` and ``False`` are left out; of several values where an option takes one text, they are joined by
        commas.

    Raises
    ------
    InputError
        For an option that there is not; names those that there are.
    KeyboardInterrupt
        If Ctrl-C ended it.
    """
    function = import_module(f"accmine.questions.{question}.command").COMMANDS[name]
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    command = typer.main.get_command(app)
    known = {_word(parameter): parameter for parameter in command.params if parameter.param_type_name == "option"}
    words: list[str] = []
    for key, value in (options or {}).items():
        if key not in known or known[key].name in _HIDDEN:
            allowed = ", ".join(word for word, parameter in known.items() if parameter.name not in _HIDDEN)
            raise InputError(f"{name} has no such option; {did_you_mean(key, known)}allowed: {allowed}", field=key)
        words += _words(known[key], value)
    as_json = any(parameter.name == "as_json" for parameter in command.params)
    out = StringIO()
    with redirect_stdout(out):
        _call(command, [*words, *["--json"] * as_json, "--", *map(str, arguments)], name)
    return json.loads(out.getvalue()) if as_json else out.getvalue()


def _call(command: Any, words: list[str], name: str) -> None:
    try:
        code = command.main(words, prog_name=f"accmine {name}", standalone_mode=False)
    except _WRONG as error:
        raise InputError(str(error.format_message()), where=name) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == INTERRUPTED:
        raise KeyboardInterrupt


def _word(parameter: Any) -> str:
    """An option as a keyword: its long name."""
    longest: str = max(parameter.opts, key=len)
    return longest.lstrip("-").replace("-", "_")


def _words(parameter: Any, value: Any) -> list[str]:
    """An option with its value as words of the command line."""
    flag = max(parameter.opts, key=len)
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    if isinstance(value, Mapping):
        value = [f"{key}={_text(item)}" for key, item in value.items()]
    if not isinstance(value, str | Path | Sequence):
        return [f"{flag}={value}"]
    if parameter.multiple or parameter.nargs != 1:
        return [f"{flag}={item}" for item in ([value] if isinstance(value, str | Path) else value)]
    return [f"{flag}={_text(value)}"]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple | range) else str(value)
