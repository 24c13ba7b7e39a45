"""``python -m accmine``: the command line as a program."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from accmine import cli


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of ``python -m accmine`` in this process."""
    monkeypatch.setattr(sys, "argv", ["accmine", *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("accmine", run_name="__main__")
    return int(caught.value.code or 0)


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("validate", "{folder}/none.yaml"), ("no-such",)])
def test_it_is_the_command(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.format(folder=tmp_path) for argument in arguments]
    code = called(monkeypatch, *given)
    said = capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        cli.main(given)
    assert code == int(caught.value.code or 0) == (0 if given[0].startswith("--") else 2)
    assert said == capsys.readouterr()
    assert bool(said.out) == (code == 0)
    assert bool(said.err) == (code == 2)
