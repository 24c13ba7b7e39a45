"""Folders of runs in every state, written without running anything."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from accmine.questions.run.folder import RunFolder, RunState
from accmine.questions.run.record import Outcome
from tests.samples.report_sample import single

INFEASIBLE = {"format": 1, "study": "small", "status": "infeasible", "message": "no design\nmeets it", "conflict": []}


def finished(runs: Path, name: str, outcome: Outcome | None = None, study: str = "") -> RunFolder:
    """A run that ended with an outcome."""
    folder = RunFolder(runs / name)
    outcome = outcome or single()
    folder.write_text("study.yaml", study or f"name: {outcome.study}\nworkloads:\n- {{use: bert-large, batch: 32}}\n")
    folder.write_json("result.json", replace(outcome, folder="elsewhere").to_json())
    folder.end(RunState.FINISHED)
    return folder


def every_state(runs: Path) -> list[str]:
    """Runs in all states below a folder; returns their names, oldest first."""
    finished(runs, "quickstart-1")
    bare = {
        "small-2": ("finished", INFEASIBLE),
        "odd-3": ("failed", {"status": "unknown", "message": "nothing in time"}),
        "crash-4": ("failed", None),
        "killed-5": ("running", None),
        "broken-6": ("finished", {"certificate": 3}),
        "wrong-7": ("finished", {"status": "optimal", "value": "fast"}),
    }
    for name, (state, result) in bare.items():
        folder = RunFolder(runs / name)
        folder.write_text("study.yaml", f"name: {name.partition('-')[0]}\n")
        folder.write_json("state.json", {"status": state, "message": "out of memory" if name == "crash-4" else ""})
        if result is not None:
            folder.write_json("result.json", result)
    newer = RunFolder(runs / "newer-8")
    newer.write_json("state.json", {"status": "finished"})
    newer.write_json("result.json", {"format": 99, "status": "optimal"})
    torn = RunFolder(runs / "torn-9")
    torn.write_json("state.json", {"status": "finished"})
    torn.write_text("result.json", '{"status": "opti')
    names = ["quickstart-1", *bare, "newer-8", "torn-9"]
    for index, name in enumerate(names):
        os.utime(runs / name / "state.json", (1000 + index, 1000 + index))
    (runs / "no-run").mkdir()
    return names
