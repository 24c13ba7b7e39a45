"""What tests look for in the folder of a run."""

from __future__ import annotations

from typing import Any

from accmine.questions.run.folder import RunFolder


def known(folder: RunFolder, name: str) -> dict[str, Any]:
    """The content of a JSON file that has to be there."""
    value: dict[str, Any] | None = folder.read_json(name)
    assert value is not None, name
    return value
