"""The JSON form of a stage selection and of its solution.

Beside the keys of the example in the user guide a problem may have ``deployment`` and ``floor``, and a pipeline
``batch``. ``transfer_s`` is a number, a list with one entry for all boundaries, or a list with one per boundary;
an entry is a number or [activations forward, gradients backward].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.problems.limits import COSTS
from accmine.problems.rows import Reader, join, near
from accmine.problems.stage_selection.problem import KIND, Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.problems.stage_selection.rules import step_seconds, totals
from accmine.system import DEFAULT_SCHEDULE

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_PROBLEM_KEYS = ("kind", "pipelines", "limits", "mode", "objective", "aggregate", "deployment", "floor")
_PIPELINE_KEYS = ("name", "weight", "microbatches", "schedule", "reference_s", "transfer_s", "batch", "stages")
_CANDIDATE_KEYS = tuple(Candidate.__slots__)
_COSTS = tuple(cost.name for cost in COSTS)


class _Reader(Reader):
    """With numbers."""

    def number(self, value: Any, path: str, default: float = 1.0) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(path, f"{value!r:.60} is not allowed; a number is needed")
            return default
        return value

    def optional(self, row: Mapping[str, Any], key: str, path: str) -> float | None:
        return None if row.get(key) is None else self.number(row[key], join(path, key))


def _transfers(reader: _Reader, value: Any, path: str, stages: int) -> tuple[tuple[float, float], ...]:
    entries = value if isinstance(value, list) else [value]
    pairs = []
    for i, entry in enumerate(entries):
        pair = entry if isinstance(entry, list) else [entry, entry]
        if len(pair) != 2:
            reader.wrong(f"{path}[{i}]", "a number or [forward, backward] is needed")
            pair = [0.0, 0.0]
        pairs.append((reader.number(pair[0], f"{path}[{i}]"), reader.number(pair[1], f"{path}[{i}]")))
    return tuple(pairs * max(stages - 1, 0) if len(pairs) == 1 else pairs)


def _candidate(reader: _Reader, value: Any, path: str) -> Candidate:
    row = reader.mapping(value, path, _CANDIDATE_KEYS, _CANDIDATE_KEYS)
    numbers = [reader.number(row.get(key, 1.0), join(path, key)) for key in _CANDIDATE_KEYS[1:]]
    return Candidate(reader.text(row.get("design", ""), join(path, "design")), *numbers)


def _pipeline(reader: _Reader, value: Any, path: str) -> Pipeline:
    row = reader.mapping(value, path, _PIPELINE_KEYS, ("name", "microbatches", "stages"))
    stages = []
    for s, item in enumerate(reader.rows(row.get("stages", []), f"{path}.stages")):
        at = f"{path}.stages[{s}]"
        stage = reader.mapping(item, at, ("name", "candidates"), ("candidates",))
        rows = reader.rows(stage.get("candidates", []), f"{at}.candidates")
        candidates = tuple(_candidate(reader, c, f"{at}.candidates[{i}]") for i, c in enumerate(rows))
        stages.append(Stage(reader.text(stage.get("name", f"s{s}"), f"{at}.name"), candidates))
    return Pipeline(
        name=reader.text(row.get("name", ""), f"{path}.name"),
        stages=tuple(stages),
        microbatches=row.get("microbatches", 1),
        schedule=reader.text(row.get("schedule", DEFAULT_SCHEDULE), f"{path}.schedule"),
        transfer_s=_transfers(reader, row.get("transfer_s", 0.0), f"{path}.transfer_s", len(stages)),
        weight=reader.number(row.get("weight", 1.0), f"{path}.weight"),
        reference_s=reader.optional(row, "reference_s", path),
        batch=reader.optional(row, "batch", path),
    )


def read_problem(obj: Any, where: str = "") -> Problem:
    """See :func:`accmine.problems.stage_selection.problem_from_json`."""
    reader = _Reader(where)
    row = reader.mapping(obj, "", _PROBLEM_KEYS, ("pipelines",))
    if row.get("kind", KIND) != KIND:
        reader.wrong("kind", f"{row['kind']!r} is not allowed here; {KIND} is needed")
    rows = reader.rows(row.get("pipelines", []), "pipelines")
    pipelines = tuple(_pipeline(reader, p, f"pipelines[{w}]") for w, p in enumerate(rows))
    limits = reader.mapping(row.get("limits") or {}, "limits", _COSTS)
    fields: dict[str, Any] = {
        key: row.get(key, default)
        for key, default in (("mode", "heterogeneous"), ("objective", "throughput"), ("aggregate", "worst"))
    }
    fields["limits"] = Limits(*(reader.optional(limits, key, "limits") for key in _COSTS))
    fields["deployment"], fields["floor"] = row.get("deployment"), reader.optional(row, "floor", "")
    if reader.complaints:
        raise InputError(reader.complaints)
    try:
        return Problem(pipelines, **fields)
    except InputError as error:
        raise InputError([Complaint(where, c.field, c.message) for c in error.complaints]) from None


def write_problem(problem: Problem) -> dict[str, Any]:
    """See :func:`accmine.problems.stage_selection.problem_to_json`."""
    pipelines = []
    for pipeline in problem.pipelines:
        row: dict[str, Any] = {"name": pipeline.name, "weight": pipeline.weight}
        row |= {"microbatches": pipeline.microbatches, "schedule": pipeline.schedule}
        row |= {k: v for k in ("reference_s", "batch") if (v := getattr(pipeline, k)) is not None}
        row["transfer_s"] = [there if there == back else [there, back] for there, back in pipeline.transfer_s] or 0.0
        row["stages"] = [
            {"name": s.name, "candidates": [{k: getattr(c, k) for k in _CANDIDATE_KEYS} for c in s.candidates]}
            for s in pipeline.stages
        ]
        pipelines.append(row)
    limits = {k: v for k in _COSTS if (v := getattr(problem.limits, k)) is not None}
    result = {"kind": KIND, "pipelines": pipelines, "limits": limits}
    result |= {"mode": problem.mode, "objective": problem.objective, "aggregate": problem.aggregate}
    return result | {k: v for k in ("deployment", "floor") if (v := getattr(problem, k)) is not None}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """See :func:`accmine.problems.stage_selection.solution_from_json`."""
    reader = _Reader(where)
    row = reader.mapping(obj, "", ("pipelines", *_COSTS), ("pipelines",))
    names = [p.name for p in problem.pipelines]
    designs = reader.mapping(row.get("pipelines", {}), "pipelines", names, names)
    choice = []
    for pipeline in problem.pipelines:
        at = f"pipelines.{pipeline.name}"
        keys = ("stages", "step_s", "samples_per_s")
        entry = reader.mapping(designs.get(pipeline.name, {}), at, keys, ("stages",))
        stage_names = [s.name for s in pipeline.stages]
        stages = reader.mapping(entry.get("stages", {}), f"{at}.stages", stage_names, stage_names)
        picks = []
        for stage in pipeline.stages:
            index = {c.design: i for i, c in enumerate(stage.candidates)}
            design = stages.get(stage.name)
            pick = index.get(design) if isinstance(design, str) else None
            if stage.name in stages and pick is None:
                guess = near(str(design), index)
                reader.wrong(f"{at}.stages.{stage.name}", f"{design!r:.60} is no candidate of this stage{guess}")
            picks.append(pick or 0)
        choice.append(tuple(picks))
    if reader.complaints:
        raise InputError(reader.complaints)
    return Solution(tuple(choice))


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """See :func:`accmine.problems.stage_selection.solution_to_json`."""
    pipelines: dict[str, Any] = {}
    for pipeline, picks, step_s in zip(
        problem.pipelines, solution.choice, step_seconds(problem, solution), strict=True
    ):
        row: dict[str, Any] = {
            "stages": {s.name: s.candidates[c].design for s, c in zip(pipeline.stages, picks, strict=True)},
            "step_s": step_s,
        }
        if pipeline.batch is not None:
            row["samples_per_s"] = pipeline.batch / step_s
        pipelines[pipeline.name] = row
    return {"pipelines": pipelines, **dict(zip(_COSTS, totals(problem, solution), strict=True))}
