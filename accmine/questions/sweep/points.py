"""One point of a sweep as a plain function of JSON values, which any process of any machine can run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from accmine.errors import AccmineError, InfeasibleError, NothingFoundError
from accmine.files import load_yaml
from accmine.plan import COSTS
from accmine.questions.run.beside import Beside, Graphs
from accmine.questions.run.folder import RunFolder, open_run
from accmine.questions.run.placement.record import AnyOutcome
from accmine.questions.run.reading import design_in
from accmine.questions.run.record import Outcome
from accmine.questions.run.row import Row, row_of
from accmine.questions.run.run import run_study
from accmine.questions.sweep.folder import SweepFolder, patience_of
from accmine.questions.sweep.record import FAILED, PointRecord
from accmine.result import Status
from accmine.study import LoadedStudy, LoadedSweep, SweepPoint, sweep_in
from accmine.study.inputs import content_of
from accmine.workers import workers

__all__ = ["measure_point", "point_spec", "refused"]

Spec = dict[str, Any]
"""What ``measure_point`` takes."""

_GRAPHS = Graphs()
"""Of the points that this process has run."""

_POOLS: list[AbstractContextManager[Any]] = []
"""The pool that keeps the workers of this process alive; they end with it."""


def point_spec(loaded: LoadedSweep, number: int, folder: Path, runs: Path, **more: Any) -> Spec:
    """What ``measure_point`` needs to run a point, as JSON values.

    Parameters
    ----------
    folder, runs
        Of the sweep, and of the runs.
    more
        ``workers`` of the point, which stay for the next one. ``share`` of the seconds of the study. ``again``: compute
        also what is there. ``designs`` (texts) and ``answers`` (run folders) of other points: candidates, which are
        checked. ``reopen``: go on with what has ended, and with the parts of the run ``earlier``. ``like``, ``graphs``
        and ``limits`` of the record; ``source`` of the answers.
    """
    document = loaded.document
    return {
        "text": document.text,
        "name": document.name,
        "path": str(loaded.path.resolve()),
        "set": list(loaded.overrides),
        "number": number,
        "folder": str(folder),
        "runs": str(runs),
        **more,
    }


@lru_cache(maxsize=4)
def _sweep(text: str, name: str, path: str, overrides: tuple[str, ...]) -> LoadedSweep:
    document = load_yaml(text=text, name=name, overrides=overrides)
    return sweep_in(document, Path(path), overrides, check=False)


def measure_point(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run a point of a sweep, and keep what it came to; returns its record as JSON values.

    Whatever is wrong with the point is in its row. Its run is an ordinary one: what another process left of it, killed
    or not, is where it goes on.
    """
    began = time.monotonic()
    loaded = _sweep(spec["text"], spec["name"], spec["path"], tuple(spec["set"]))
    point, folder = loaded.point(spec["number"]), SweepFolder(Path(spec["folder"]))
    record = PointRecord(
        number=point.number,
        values=dict(point.values),
        row={},
        like=spec.get("like", ""),
        graphs=spec.get("graphs", ""),
        source=spec.get("source", ""),
        limits=dict(spec.get("limits", {})),
        patience=patience_of(loaded.document.data),
    )
    record = _measured(record, loaded, point, folder, spec)
    record = replace(record, seconds=round(time.monotonic() - began, 3))
    folder.write(record)
    return record.to_json()


def _measured(
    record: PointRecord, loaded: LoadedSweep, point: SweepPoint, folder: SweepFolder, spec: Mapping[str, Any]
) -> PointRecord:
    runs, status = Path(spec["runs"]), FAILED
    study: LoadedStudy | None = None
    try:
        study = _budgeted(loaded.study(point), spec.get("workers"), spec.get("share", 1.0))
        beside = Beside(
            designs=tuple(map(design_in, spec.get("designs", ()))),
            answers=tuple(_answers(spec.get("answers", ()))),
            common=folder.common,
            graphs=_GRAPHS,
            reopen=bool(spec.get("reopen")),
            earlier=RunFolder(Path(spec["earlier"])) if spec.get("earlier") else None,
        )
        outcome = run_study(study, runs_dir=runs, again=bool(spec.get("again")), beside=beside)
    except InfeasibleError as error:
        status, message = Status.INFEASIBLE.value, str(error)
    except NothingFoundError as error:
        status, message = Status.UNKNOWN.value, str(error)
    except AccmineError as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001 - one point that fails must not end the others
        message = f"a defect of accmine: {type(error).__name__}: {error}"
    else:
        return _answered(record, outcome)
    row = refused(loaded.name if study is None else study.study.name, status, message)
    if study is not None:
        with suppress(AccmineError, OSError):
            own = open_run(runs, study.study, content_of(study.study))
            row["folder"] = str(own.path) if own.path.is_dir() else ""
    return replace(record, row=row)


def _budgeted(loaded: LoadedStudy, workers: int | None, share: float) -> LoadedStudy:
    """A study with as many processes as are left for a point of a sweep, and its share of the seconds."""
    budget, changes = loaded.study.budget, dict[str, Any]()
    if workers is not None:
        changes["workers"] = min(workers, budget.workers)
        _stay(changes["workers"])
    if share < 1 and budget.seconds is not None and not budget.deterministic:
        changes["seconds"] = share * budget.seconds
    return replace(loaded, study=loaded.study.model_copy(update={"budget": budget.model_copy(update=changes)}))


def _stay(count: int) -> None:
    """Keep worker processes for the points to come: to start them takes longer than many a point."""
    if count > 1 and not _POOLS:
        pool = workers(count, [])
        pool.__enter__()
        _POOLS.append(pool)


def _answers(folders: list[str]) -> list[Mapping[str, Any]]:
    """The kept answers of runs; those that are damaged are left out, as they are claims anyway."""
    rows = [RunFolder(Path(path)).get("answer") for path in folders]
    return [row["part"] for row in rows if row is not None and isinstance(row.get("part"), dict)]


def refused(study: str, status: str, message: str) -> Row:
    """The row of a point without an answer."""
    return row_of({"study": study, "status": status, "message": " ".join(message.split())})


def _answered(record: PointRecord, outcome: AnyOutcome) -> PointRecord:
    designs = tuple(design.yaml for design in outcome.designs)
    reference = outcome.reference_s if isinstance(outcome, Outcome) else ()
    device = {f"device_limits.{c.key}": max(getattr(design, c.name) for design in outcome.designs) for c in COSTS}
    known = {key: value for key, value in device.items() if isfinite(value)}  # there are technologies without power
    row = row_of(outcome.to_json())
    return replace(record, row=row, reference_s=tuple(reference), designs=designs, device=known)
