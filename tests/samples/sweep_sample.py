"""Tiny sweeps for tests: real ones, whose points run in this process in a fraction of a second."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from accmine.questions.sweep.points import measure_point
from accmine.study import LoadedSweep, load_sweep
from tests.samples.inline_sample import Inline
from tests.samples.search_sample import study_text

__all__ = ["BUDGET", "LIMITS", "REPEATS", "Inline", "crashing", "loaded", "write"]

LIMITS = {"limits.area": ["413 mm^2", "baseline", "450 mm^2"], "limits.tdp": ["73 W", "74 W", "80 W"]}
"""Limits that bind for the designs of the tiny studies: the smallest of them takes 412.92 mm^2 and 72.90 W."""

BUDGET = {"seconds": 2, "workers": 1}
REPEATS = {"deterministic": True, "work": 0.05, "workers": 1}


def write(folder: Path, sweep: dict[str, Any], name: str = "tiny.yaml", **keys: Any) -> Path:
    """The file of a sweep; keys as of ``search_sample.study_text``."""
    table = json.loads(study_text(**{"budget": BUDGET, **keys}))
    path = folder / name
    path.write_text(json.dumps(table | {"sweep": sweep}, indent=1))
    return path


def loaded(folder: Path, sweep: dict[str, Any], **keys: Any) -> LoadedSweep:
    """A sweep as it is read from its file."""
    return load_sweep(write(folder, sweep, **keys))


def crashing(spec: dict[str, Any]) -> dict[str, Any]:
    """``measure_point``, but for point 1, which ends its process."""
    if spec["number"] == 1:
        os._exit(9)
    return measure_point(spec)
