"""docs/sparse-dataflow.md: what it says of larger budgets and of several devices runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from accmine.problems.files import load_problem

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/sparse-dataflow.md").read_text(encoding="utf-8")


def _run(heading: str) -> dict[str, Any]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (text,) = re.findall(r"^```python\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"problem": load_problem(ROOT / "examples/sparse-dataflow.json")}
    exec(compile(text, "docs/sparse-dataflow.md", "exec"), names)
    return names


def test_what_more_buys(capsys: pytest.CaptureFixture[str]) -> None:
    names = _run("What the next DSP, LUT or loss point buys")
    assert names["result"].solution is not None
    assert "True" in capsys.readouterr().out  # something binds


def test_several_devices(capsys: pytest.CaptureFixture[str]) -> None:
    found = _run("Several devices")["found"]
    assert found.proven
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["zcu102", "zcu104"]
