"""The command line called from a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from accmine import cli


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def caller(capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that calls a command and returns what was ``Said``."""

    def call(*arguments: str | Path) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(int(caught.value.code or 0), said.out, said.err)

    return call
