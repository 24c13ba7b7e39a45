"""docs/problem-files.md names the keys that the readers take, of every kind of problem."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.registry import PROBLEMS
from accmine.solving import load_problem

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/problem-files.md").read_text(encoding="utf-8")
KINDS = re.findall(r"^## ([\w-]+)$", PAGE, flags=re.MULTILINE)[:-1]


def mappings(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the mappings of a file stand."""
    if isinstance(value, dict):
        yield place
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from mappings(item, (*place, key))


def taken(kind: str, folder: Path) -> dict[str, set[str]]:
    """Keys that the reader of a kind says it allows, by the place of the mapping."""
    example = json.loads((ROOT / f"examples/{kind}.json").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for place in mappings(example):
        name = ".".join("*" if isinstance(step, int) else step for step in place) or "–"
        changed: Any = copy.deepcopy(example)
        here = changed
        for step in place:
            here = here[step]
        here["no key"] = 1
        file = folder / "changed.json"
        file.write_text(json.dumps(changed), encoding="utf-8")
        try:
            load_problem(file)
        except InputError as error:
            said = re.search(r"unknown key.*?allowed: (.*)", str(error))
            if said:
                found[name] = set(said[1].split(", "))
    return found


def described(kind: str) -> dict[str, set[str]]:
    """The rows of the page."""
    section = PAGE.split(f"## {kind}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (–|`[^`]*`) \| (.*) \|$", section, flags=re.MULTILINE)
    return {place.strip("`"): set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", text))) for place, text in rows}


def test_every_kind_with_files_is_described() -> None:
    assert set(KINDS) == set(PROBLEMS) - {"design-search", "design-placement"}, "those two are no files"


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_are_those_of_the_reader(kind: str, tmp_path: Path) -> None:
    known, shown = taken(kind, tmp_path), described(kind)
    inner = {place for place in known if place.startswith("schedule.")}  # those of an operator-schedule, in its section
    assert {place: known[place] for place in known.keys() - inner} == shown
