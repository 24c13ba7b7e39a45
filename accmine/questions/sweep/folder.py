"""The folder of a sweep: ``runs/<name>-sweep-<hash>/`` with the sweep, a file for each finished point, and the table.

The points themselves are ordinary runs beside it. The hash covers the document with its overrides, the user's files
that points name, the code and the versions of the solvers, but not how long a point may take.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import dump, write_atomic
from accmine.questions.run.folder import RunFolder, code_hash, slug, solver_versions
from accmine.questions.run.row import misfit
from accmine.questions.sweep.record import FAILED, PointRecord, SweepResult
from accmine.report import csv, from_json
from accmine.result import Status
from accmine.study import LoadedSweep

__all__ = ["SweepFolder", "finished", "open_sweep", "patience_of"]

_PATIENCE = ("seconds", "work", "workers")
_DEFAULT_S = 60.0
_LOG = logging.getLogger(__name__)


def patience_of(data: Mapping[str, Any]) -> dict[str, float | None]:
    """What the document of a sweep says of how long a point may take."""
    budget = data.get("budget")
    budget = budget if isinstance(budget, Mapping) else {}
    return {"seconds": budget.get("seconds", _DEFAULT_S), "work": budget.get("work")}


def open_sweep(runs: Path, loaded: LoadedSweep) -> SweepFolder:
    """The folder of a sweep below ``runs``; nothing is written yet."""
    data = dict(loaded.document.data)
    budget = data.get("budget")
    if isinstance(budget, Mapping) and budget.get("deterministic") is not True:
        data["budget"] = {key: value for key, value in budget.items() if key not in _PATIENCE}
    parts = {
        "sweep": data,
        "content": sorted(loaded.content.values()),
        "code": code_hash(),
        "versions": solver_versions(),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return SweepFolder(Path(runs) / f"{slug(loaded.name)}-sweep-{digest}")


@dataclass(frozen=True)
class SweepFolder:
    """A sweep on disk.

    Attributes
    ----------
    say
        Told of files that are not used.
    """

    path: Path
    say: Callable[[str], None] = field(default=_LOG.warning, compare=False)

    @property
    def common(self) -> RunFolder:
        """Where points share the schedules of their baselines."""
        return RunFolder(self.path / "common", self.say)

    def _file(self, number: int) -> Path:
        return self.path / "points" / f"{number}.json"

    def begin(self, loaded: LoadedSweep, *, alone: bool = False) -> None:
        """Write what is swept; remove what killed processes were writing, if nobody else works here."""
        for path in list(self.path.rglob(".*.tmp")) if alone else ():
            path.unlink(missing_ok=True)
        if not (self.path / "sweep.yaml").is_file():
            write_atomic(self.path / "sweep.yaml", dump(loaded.document.data, flow=None))

    def write(self, record: PointRecord) -> None:
        """Keep a finished point: whole, or not at all."""
        text = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False)
        file = self._file(record.number)
        write_atomic(file, text + "\n", sync=False)
        for left in file.parent.glob(f".{file.name}.*.tmp"):  # of a process that was killed as it wrote this point
            left.unlink(missing_ok=True)

    def read(self, number: int) -> PointRecord | None:
        """What is kept of a point; ``None`` for nothing, and, which is said, for what is damaged."""
        path = self._file(number)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.say(f"not used: {path} cannot be read ({error})")
            return None
        try:
            record = from_json(PointRecord, json.loads(text), str(path))
            if wrong := misfit(record.row) or ("" if record.row["status"] else "status is missing"):
                raise InputError(f"row: {wrong}")
        except (ValueError, RecursionError, InputError) as error:
            self.say(f"not used: {' '.join(str(error).split())[:200]}: {path} is not as it was written")
            return None
        if record.number != number:
            self.say(f"not used: {path} is of point {record.number}")
            return None
        return record

    def numbers(self) -> list[int]:
        """Numbers of the points that are kept, in order."""
        return sorted(int(path.stem) for path in self.path.glob("points/*.json") if path.stem.isdecimal())

    def records(self) -> Iterator[PointRecord]:
        """What is kept of all points, in order."""
        for number in self.numbers():
            record = self.read(number)
            if record is not None:
                yield record

    def finish(self, result: SweepResult) -> Path:
        """Write the table; returns its file."""
        path = self.path / "table.csv"
        write_atomic(path, csv.render(result.rows))
        return path


def finished(record: PointRecord, patience: Mapping[str, float | None], retry: bool) -> bool:
    """Whether a point need not be run again: it is decided, or it had at least as much patience."""
    if record.status in (Status.OPTIMAL.value, Status.INFEASIBLE.value):
        return True
    if record.status in (FAILED, Status.UNKNOWN.value) and retry:
        return False
    if record.row["stop"] == "interrupted":
        return False
    pairs = [(record.patience.get(key), limit) for key, limit in patience.items()]
    return all(had is None or (now is not None and now <= had) for had, now in pairs)
