"""What ``mkdocs build`` does beside its plugins: pages of the navigation that a checkout lacks are left out of it.

Anchors are those of the files as they are read on a code host: letters, digits and hyphens, so that one link works there
and on the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Leave out pages that are not there, and make anchors as code hosts do."""
    folder = Path(config["docs_dir"])
    config["nav"] = [entry for entry in map(lambda entry: _there(entry, folder), config["nav"]) if entry]
    config["mdx_configs"].setdefault("toc", {})["slugify"] = slug
    return config


def slug(heading: str, separator: str = "-") -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def _there(entry: Any, folder: Path) -> Any:
    if isinstance(entry, str):
        return entry if (folder / entry).is_file() else None
    ((title, below),) = entry.items()
    if isinstance(below, str):
        return entry if (folder / below).is_file() else None
    found = [item for item in (_there(item, folder) for item in below) if item]
    return {title: found} if found else None
