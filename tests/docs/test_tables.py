"""Tables of pages are those of their files."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def tables() -> Any:
    spec = spec_from_file_location("tables", DOCS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["accuracy.md", "benchmarks.md"])
def test_tables_are_those_of_their_files(page: str) -> None:
    assert tables().filled(DOCS / page) == (DOCS / page).read_text(encoding="utf-8"), "run python docs/tables.py"


def test_every_file_is_shown_and_every_mark_has_one() -> None:
    shown = {
        name for page in DOCS.glob("*.md") for name in re.findall(r"<!-- (?:table|ledger): (\S+) -->", page.read_text())
    }
    assert shown == {f"data/{file.name}" for file in (DOCS / "data").iterdir()}


def test_a_changed_file_changes_its_page(tmp_path: Path) -> None:
    module = tables()
    (tmp_path / "x.csv").write_text("case,value\na,1\n")
    (tmp_path / "page.md").write_text("# P\n\n<!-- table: x.csv -->\n| old |\n|---|\n\nend\n")
    module.DOCS = tmp_path
    assert (
        module.filled(tmp_path / "page.md")
        == "# P\n\n<!-- table: x.csv -->\n| case | value |\n|---|---|\n| a | 1 |\n\nend\n"
    )
