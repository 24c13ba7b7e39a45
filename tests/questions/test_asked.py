"""Commands asked by a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from accmine.errors import CheckError, InputError
from accmine.questions.asked import ask
from accmine.questions.gap import command


def pretend(monkeypatch: pytest.MonkeyPatch, code: int = 0) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    def gap(
        targets: Annotated[list[str] | None, typer.Argument()] = None,
        seeds: Annotated[str | None, typer.Option()] = None,
        option: Annotated[list[str] | None, typer.Option()] = None,
        csv_file: Annotated[Path | None, typer.Option("--csv")] = None,
        workers: Annotated[int, typer.Option(min=1)] = 1,
        again: Annotated[bool, typer.Option("--again")] = False,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        seen.append(dict(locals()) | {"seen": None})
        typer.echo(json.dumps({"rows": [{"a": 1}]}))
        raise typer.Exit(code)

    monkeypatch.setitem(command.COMMANDS, "gap", gap)
    return seen


def test_values_become_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = pretend(monkeypatch)
    options = {"seeds": range(3), "option": {"hysteresis": [0, 2], "x": "y"}, "csv": tmp_path, "workers": 2}
    assert ask("gap", "gap", ["-odd name", Path("b")], options | {"again": True}) == {"rows": [{"a": 1}]}
    (found,) = seen
    assert found["targets"] == ["-odd name", "b"]
    assert found["seeds"] == "0,1,2"
    assert found["option"] == ["hysteresis=0,2", "x=y"]
    assert found["csv_file"] == tmp_path
    assert (found["workers"], found["again"], found["as_json"]) == (2, True, True)
    ask("gap", "gap", (), {"seeds": None, "again": False, "option": ["a=1", "b=2"]})
    assert (seen[1]["seeds"], seen[1]["again"], seen[1]["option"]) == (None, False, ["a=1", "b=2"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"seds": [1]},
            "seds: gap has no such option; did you mean 'seeds'? allowed: seeds, option, csv, workers, again",
        ),
        ({"as_json": True}, "gap has no such option"),
        ({"json": True}, "gap has no such option"),
        ({"workers": 0}, "greater than or equal to 1"),
        ({"workers": "many"}, "gap: "),
    ],
)
def test_what_is_wrong_is_an_input_error(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    seen = pretend(monkeypatch)
    with pytest.raises(InputError) as caught:
        ask("gap", "gap", (), options)
    assert message in str(caught.value)
    assert seen == []


def test_how_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, CheckError.exit_code)
    assert ask("gap", "gap") == {"rows": [{"a": 1}]}, "the rows say what is wrong"
    pretend(monkeypatch, 130)
    with pytest.raises(KeyboardInterrupt):
        ask("gap", "gap")


def test_errors_of_the_command_go_through() -> None:
    with pytest.raises(InputError, match="needs at least one study"):
        ask("gap", "gap")
