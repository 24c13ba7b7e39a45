"""The search for tiles is compiled before a budget counts, and says so where that takes long."""

from __future__ import annotations

import pytest

from accmine.cost import ready
from accmine.cost.arrays import ready as module


def test_what_is_on_disk_is_not_compiled_again() -> None:
    said: list[str] = []
    ready(said.append)
    ready(said.append)
    assert len(said) <= 1, "at most the first call compiles"


def test_it_is_said_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "kept_before", lambda: False)
    ready(said.append)
    assert said == ["compiles the search for tiles, once: some 20 s that count for no budget"]
