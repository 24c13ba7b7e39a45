"""The docs as a site: every link leads somewhere, and no page fetches anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = {page.name for page in (ROOT / "docs").glob("*.md")}


def listed() -> list[str]:
    """Pages of the navigation, in order."""

    def below(entries: list[object]) -> list[str]:
        found: list[str] = []
        for entry in entries:
            found += [entry] if isinstance(entry, str) else [p for v in dict(entry).values() for p in below(v)]  # type: ignore[call-overload]
        return found

    return below(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(set(listed())) == sorted(listed())
    assert set(listed()) >= PAGES


def test_every_page_is_named_by_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert [page for page in sorted(PAGES - {"index.md"}) if f"]({page}" not in index] == []


@pytest.mark.full
def test_the_site_is_built_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT,
        env={
            "PATH": "",
            "HOME": str(tmp_path),
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    loads = re.compile(
        r"<(?:script|link|img|iframe|source|video)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)"
    )
    found = {url for page in pages for url in loads.findall(page.read_text(encoding="utf-8"))}
    styles = {
        url for file in site.rglob("*.css") for url in re.findall(r"url\([\"']?((?:https?:)?//[^)]*)", file.read_text())
    }
    assert found | styles == set()
    assert "accmine sweep" in (site / "commands/index.html").read_text(encoding="utf-8")
    assert "raise_bound" in (site / "python/index.html").read_text(encoding="utf-8"), "the reference has the members"
