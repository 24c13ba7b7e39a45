"""What ``mkdocs build`` does beside its plugins: a page of all commands, and no pages that a checkout lacks.

Anchors are those of the files as a code host makes them, letters, digits and hyphens, so that one link works there
and on the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

GENERATED = ("commands.md",)


def on_config(config: Any) -> Any:
    """Leave out pages that are not there, and make anchors as code hosts do."""
    folder = Path(config["docs_dir"])
    config["nav"] = [entry for entry in (_there(entry, folder) for entry in config["nav"]) if entry]
    config["mdx_configs"].setdefault("toc", {})["slugify"] = slug
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the page of commands, which is what their ``--help`` prints."""
    files.append(File.generated(config, "commands.md", content=_commands()))
    return files


def _commands() -> str:
    from typer.main import get_command
    from typer.testing import CliRunner

    from accmine.cli import app

    def said(*words: str) -> str:
        text = CliRunner().invoke(app, [*words, "--help"], prog_name="accmine", env={"COLUMNS": "100"}).output
        return f"```text\n{text.strip()}\n```\n"

    names = list(get_command(app).commands)  # type: ignore[attr-defined]
    pages = [f"## {name}\n\n{said(name)}" for name in names]
    return "\n".join(["# Commands\n", "What `accmine --help` and `accmine COMMAND --help` print.\n", said(), *pages])


def slug(heading: str, separator: str = "-") -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def _there(entry: Any, folder: Path) -> Any:
    if isinstance(entry, str):
        return entry if entry in GENERATED or (folder / entry).is_file() else None
    ((title, below),) = entry.items()
    if isinstance(below, str):
        return entry if (folder / below).is_file() else None
    found = [item for item in (_there(item, folder) for item in below) if item]
    return {title: found} if found else None
