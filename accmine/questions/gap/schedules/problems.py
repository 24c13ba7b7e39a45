"""The operator-schedule problems of a study: every phase of every device on one design, each that is distinct once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accmine.errors import InputError
from accmine.files import did_you_mean, entry_name
from accmine.hardware import Design, DesignSpace, load_accelerator
from accmine.plan import Plan, given_study, plan_of
from accmine.problems.operator_schedule import Problem, problem_to_json
from accmine.search.schedules import lowered_of
from accmine.study import LoadedStudy, Study, load_study, load_suite, overridden

__all__ = ["INDEX", "PhaseProblem", "files", "index", "phase_problems", "studies_of"]

INDEX = "problems.json"
"""File that says what each of the others is."""


@dataclass(frozen=True, eq=False)
class PhaseProblem:
    """The schedule problem of a phase.

    Attributes
    ----------
    study, model
        Name of the study, or of the model in a suite; name of the workload.
    stages
        Devices of the pipeline that run it, from 0: those of equal work share one problem. Empty for a single device.
    phase, design
        Names: ``forward``, ``backward``, ``update``, or ``step`` for forward and backward together on one device.
    repeats
        Runs in a step, on all devices together.
    cycle_s
        Seconds of a time unit.
    """

    study: str
    model: str
    stages: tuple[int, ...]
    phase: str
    design: str
    repeats: int
    cycle_s: float
    problem: Problem

    @property
    def name(self) -> str:
        """Model, first stage, phase and design: a file name."""
        stage = [f"stage{self.stages[0]}"] if self.stages else []
        return ".".join(_slug(part) for part in (self.model, *stage, self.phase, self.design))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "_"


def studies_of(
    names: Sequence[str],
    suite: str | None = None,
    models: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> list[tuple[str, LoadedStudy | Study, str]]:
    """(name, study, what accmine lacks to run it) of named studies, or of every model of a suite.

    Raises
    ------
    InputError
        For an unknown study, suite or model, or a key that is wrong.
    """
    if suite is None:
        loaded = [load_study(name, list(overrides)) for name in names]
        return [(given_study(study.one_run).name, study, "") for study in loaded]
    entries = {entry.model: entry for entry in reversed(load_suite(suite))}
    for word in models:
        if word not in entries:
            near, listed = did_you_mean(word, entries), ", ".join(reversed(entries))
            raise InputError(f"unknown model {word!r}; {near}suite {suite} has: {listed}", field="--models")
    wanted = [entry for entry in reversed(entries.values()) if not models or entry.model in models]
    return [(entry.model, overridden(entry.study, overrides), entry.needs) for entry in wanted]


def phase_problems(name: str, study: Study | LoadedStudy, design: str | None = None) -> list[PhaseProblem]:
    """The problems of all devices of a study, pipeline by pipeline; equal ones once.

    Parameters
    ----------
    design
        Name or file of a design; default: that of the study's accelerator where this leaves no choice, else its
        baseline.

    Raises
    ------
    InputError
        If a file that the study names is wrong, there is no such design, or an operator does not fit it.
    InfeasibleError
        If a pipeline has more stages than its model has layers.
    """
    plan = plan_of(study.one_run)
    label, chosen = _design(plan, design)
    # Its core counts become those of splits: of a foreign design the template need not have any.
    library = replace(plan, baseline=chosen).library()
    found: list[PhaseProblem] = []
    for pipeline in plan.pipelines:
        known: dict[object, list[int]] = {}
        for stage, task in enumerate(pipeline.tasks):
            known.setdefault(task.signature, []).append(stage)
        for alike in known.values():
            task = pipeline.tasks[alike[0]]
            stages = tuple(alike) if len(pipeline.tasks) > 1 else ()
            for run, lowered in zip(task.phases, lowered_of(task, library, chosen), strict=True):
                phase = "step" if run.name == "forward and backward" else run.name
                runs = run.repeats * len(alike)
                cycle_s = 1 / chosen.frequency_hz
                found.append(PhaseProblem(name, pipeline.name, stages, phase, label, runs, cycle_s, lowered.problem))
    return found


def _design(plan: Plan, design: str | None) -> tuple[str, Design]:
    """The design, and what it is called."""
    if design is not None:
        return entry_name(design), load_accelerator(design)
    only = next(iter(DesignSpace(plan.template))) if plan.template.size == 1 else plan.baseline
    return (entry_name(plan.study.baseline) if only == plan.baseline else only.name), only


def files(problems: Iterable[PhaseProblem]) -> dict[str, str]:
    """Name and text of a problem file each, and of the index.

    Raises
    ------
    InputError
        If two problems have one name: workloads of different studies that are called the same.
    """
    found: dict[str, str] = {}
    rows = []
    for own in problems:
        file = f"{own.name}.json"
        if file in found:
            raise InputError(
                f"two problems are called {own.name}; give the studies one by one, into folders of their own"
            )
        found[file] = json.dumps({"name": own.name, **problem_to_json(own.problem)}, separators=(",", ":")) + "\n"
        rows.append(index(own, file))
    return {**found, INDEX: json.dumps({"problems": rows}, indent=1) + "\n"}


def index(own: PhaseProblem, file: str) -> dict[str, Any]:
    """What a problem file is: makespan × repeats × cycle_s, summed over all of a study, is the work of its devices."""
    return {
        "file": file,
        "study": own.study,
        "model": own.model,
        "stages": list(own.stages),
        "phase": own.phase,
        "design": own.design,
        "repeats": own.repeats,
        "cycle_s": own.cycle_s,
        "operations": len(own.problem),
    }
