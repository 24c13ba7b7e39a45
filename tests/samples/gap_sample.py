"""Tiny measured gaps for the tests: studies of milliseconds, each measured once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from accmine import registry
from accmine.questions.gap.cases import rows_of
from accmine.questions.gap.measure import Ground, Measured
from accmine.questions.gap.record import GapRow
from accmine.search import PROVER
from accmine.study import Study
from tests.samples import search_sample
from tests.samples.search_sample import pipeline

SPACE = {"tensor_cores": [1, 2], "vector_cores": [1, 2, 3]}
LIMITS = {"area": "baseline", "tdp": "baseline"}
BUDGET = {"work": 10, "deterministic": True}
SEARCH = {"refine": "none", "top_k": 3, "shares": 3}

FIXED: dict[str, Any] = {"space": SPACE, "limits": LIMITS, "budget": BUDGET, "search": SEARCH}

KEYS: dict[str, dict[str, Any]] = {
    "one device": {},
    "per TDP": {"objective": "throughput-per-tdp", "floor": 0.5},
    "pipeline": {"models": ("gpt",), **pipeline(2)},
    "pipeline per TDP": {"models": ("gpt",), "objective": "throughput-per-tdp", "floor": 0.5, **pipeline(2)},
    "bottleneck": {"models": ("gpt",), "objective": "bottleneck", **pipeline(2)},
    "common": {"models": ("mlp", "gpt")},
}
"""Studies that differ in what a value is and in what shares a design."""


def study_text(**keys: Any) -> str:
    """A tiny study that repeats exactly; keys as ``search_sample.study_text``."""
    return search_sample.study_text(**(FIXED | keys))


def study(**keys: Any) -> Study:
    """The same as a checked object."""
    return search_sample.study(**(FIXED | keys))


def write(folder: Path, name: str = "tiny", **keys: Any) -> Path:
    """The same as a file."""
    path = folder / f"{name}.yaml"
    path.write_text(study_text(name=name, **keys))
    return path


@contextmanager
def no_prover() -> Iterator[None]:
    """Without the search with a proof: what it proves is its own tests' matter, and it takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(registry.SOLVERS, ("design-search", PROVER), raising=False)
        yield


@pytest.fixture(autouse=True)
def without_prover() -> Iterator[None]:
    """The same for every test of a module that imports it."""
    with no_prover():
        yield


@cache
def ground(case: str) -> Ground:
    """The ground of a case, without the prover; one worker, so nothing has to be closed."""
    with no_prover():
        return Ground(study(**KEYS[case])).__enter__()


@cache
def measured(case: str) -> Measured:
    """What the study's own heuristic gives."""
    return ground(case).measure(ground(case).study.search)


@cache
def rows(case: str) -> tuple[GapRow, ...]:
    """Its rows."""
    search = ground(case).study.search
    return tuple(rows_of(case, ground(case), measured(case), search.method, search.options()))
