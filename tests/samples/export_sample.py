"""Run folders for the tests of exports, made by hand: no search, any design."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.hardware import Design, dump_design, load_accelerator
from accmine.plan import plan_of
from accmine.questions.export.operators import RunAnswer, read_run
from accmine.questions.run.folder import RunFolder, RunState
from accmine.questions.run.record import ChosenDesign
from tests.samples import report_sample
from tests.samples.search_sample import study

STEP_S = 0.25
"""Step time of every workload in the result of these runs."""


def make_run(folder: Path, designs: Sequence[Design] | None = None, **keys: Any) -> RunFolder:
    """A finished run of a tiny study; keys as ``study_text``.

    Several designs share the devices out in turn; without any, the baseline is the answer.
    """
    asked = study(**keys)
    plan = plan_of(asked)
    chosen = list(designs or [load_accelerator(asked.baseline)])
    names = [task.name for task in plan.tasks]
    row = report_sample.single().workloads[0]
    outcome = replace(
        report_sample.single(),
        study=asked.name,
        designs=tuple(
            ChosenDesign(design.name, dump_design(design), tuple(names[i :: len(chosen)]), 1.0, 1.0, 1.0)
            for i, design in enumerate(chosen)
        ),
        workloads=tuple(replace(row, name=pipeline.name, step_s=STEP_S) for pipeline in plan.pipelines),
    )
    run = RunFolder(folder)
    run.start(asked)
    run.write_json("result.json", outcome.to_json())
    for i, design in enumerate(chosen):
        run.write_text("design.yaml" if len(chosen) == 1 else f"design-{i}.yaml", dump_design(design))
    run.end(RunState.FINISHED)
    return run


def answer(folder: Path, designs: Sequence[Design] | None = None, **keys: Any) -> RunAnswer:
    """The run read back as an export sees it."""
    return read_run(make_run(folder, designs, **keys))


def baseline(**keys: Any) -> Design:
    """The baseline of the tiny studies."""
    return load_accelerator(study(**keys).baseline)


def listing(folder: Path) -> dict[str, str]:
    """Relative path -> text of all files below a folder."""
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make every import of a package fail, also where an earlier test has loaded it."""
    for name in [package, *(loaded for loaded in sys.modules if loaded.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)


def manifest(folder: Path) -> list[str]:
    """What an export says it wrote."""
    names: list[str] = json.loads((folder / "export.json").read_text())["files"]
    return names
