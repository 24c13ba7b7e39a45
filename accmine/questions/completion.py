"""What a shell offers for names: of the catalogue, of solvers, of runs; names of files are all that is read for it.

Where nothing fits, a shell goes on with the files of the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

__all__ = ["of_catalogue", "of_runs", "of_solvers", "of_words"]

Offer = Callable[[str], list[str]]
"""From what is typed to what it may become."""


def _offer(known: Callable[[], Iterable[str]]) -> Offer:
    def offer(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in sorted(known()) if name.startswith(last)]

    return offer


def of_words(*words: str) -> Offer:
    """These words; after a comma, again."""
    return _offer(lambda: words)


def of_catalogue(kind: str) -> Offer:
    """Names of the shipped entries of a folder of the catalogue."""
    # not by accmine.files, which imports pydantic: the names of files are all that is needed
    return _offer(lambda: [file.stem for file in Path(str(files("accmine.configs")), kind).glob("*.yaml")])


def of_solvers(kind: str = "") -> Offer:
    """Names of the solvers of a problem, of all of them by default."""

    def known() -> set[str]:
        from accmine.registry import PROBLEMS, solvers_of

        return {name for problem in ([kind] if kind else PROBLEMS) for name in solvers_of(problem)}

    return _offer(known)


def of_runs(folder: Path) -> Offer:
    """Run folders below ``folder``."""
    return _offer(lambda: [state.parent.name for state in folder.glob("*/state.json")])
