"""The folder of a run: written atomically, found again by content, resumed at the last finished part.

``runs/<study>-<hash>/`` holds ``study.yaml`` (effective), ``result.json``, ``design.yaml``, ``trace.jsonl``,
``schedule.json``, ``report.html``, ``state.json``, ``tasks/<key>.json`` with finished parts and ``tasks/parts.jsonl``,
which says what was begun, kept and read. The hash covers the effective study and the files it names, the content of the
installed code and the versions of the solvers, but not how long the run may take: a longer one goes on in the folder of
a shorter one. Only of a deterministic run the limits decide the answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import did_you_mean, load_yaml, naming, write_atomic
from accmine.problems.files import located
from accmine.questions.run.process import alive, process
from accmine.questions.run.row import refuse_newer
from accmine.result import Status
from accmine.study import Study, effective, study_hash
from accmine.study.sparse import SparseStudy
from accmine.version import __version__

__all__ = [
    "RUN_FILES",
    "RunFolder",
    "RunState",
    "code_hash",
    "find_run",
    "list_runs",
    "open_run",
    "run_hash",
    "slug",
    "solver_versions",
    "task_key",
]

RUN_FILES = ("study.yaml", "result.json", "design.yaml", "trace.jsonl", "schedule.json", "report.html")
"""What a finished run holds beside its state; a pipeline's designs are further ``design-*.yaml``."""

OTHER_FILES = ("placement.yaml", "placement.json", "front.csv", "problem.json", "solution.json", "rounds.json")
"""What a run that decides a placement, finds a front, or is of another kind than training holds as well."""

_PACKAGES = ("accmine", "accmine.models", "accmine.solvers", "accmine.configs")
_SOURCES = (".py", ".yaml", ".csv")
_SOLVERS = ("ortools", "highspy", "pyomo", "numpy")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")
_STATE, _PARTS = "state.json", "tasks/parts.jsonl"
_LOG = logging.getLogger(__name__)


class RunState(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    """Under way: its process lives."""
    FINISHED = "finished"
    """Ended with a result, which may be that there is no solution."""
    INTERRUPTED = "interrupted"
    """Stopped by the user, with the best verified solution kept, or ended without a word (killed)."""
    FAILED = "failed"
    """Ended by an error."""


@cache
def code_hash() -> str:
    """SHA-256 (hex) of the installed accmine: its modules and its catalogue, equal for wheel and checkout."""
    found: dict[str, Path] = {}
    for package in _PACKAGES:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"the package {package} is not installed; install accmine again")
        root = Path(next(iter(spec.submodule_search_locations)))
        prefix = package.replace(".", "/")
        for path in root.rglob("*"):
            if path.suffix in _SOURCES:
                found[f"{prefix}/{path.relative_to(root).as_posix()}"] = path
    digest = hashlib.sha256()
    for name in sorted(found):
        content = found[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    versions = [("accmine", __version__)]
    for name in _SOLVERS:
        try:
            versions.append((name, version(name)))
        except PackageNotFoundError:
            versions.append((name, "missing"))
    return tuple(versions)


def solver_versions() -> dict[str, str]:
    """Versions of accmine and of everything that decides; read from metadata, nothing is imported."""
    return dict(_versions())


def run_hash(study: Study | SparseStudy, content: Mapping[str, str] | None = None) -> str:
    """First 12 hex digits of the SHA-256 of everything that decides the result of ``study`` but its patience.

    Limits by the clock and workers are none of it: with more of them the same run goes on. Those of a deterministic run
    are, as its answer has to repeat. ``content`` as in ``study_hash``.
    """
    study = study.model_copy(update={"budget": study.budget.timeless()})
    parts = {"study": study_hash(study, content), "code": code_hash(), "versions": solver_versions()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def task_key(**parts: Any) -> str:
    """Key of a task from JSON values that decide its result; 32 hex digits."""
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def slug(name: str) -> str:
    """A name as part of that of a folder."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:60] or "study"


@dataclass(frozen=True)
class RunFolder:
    """One run on disk.

    Attributes
    ----------
    say
        Told of kept parts that are not used.
    """

    path: Path
    say: Callable[[str], None] = field(default=_LOG.warning, compare=False)

    @property
    def state(self) -> RunState | None:
        """How far the run has come; ``None`` when it never started.

        Raises
        ------
        InputError
            If what was recorded cannot be read.
        """
        recorded = self.read_json(_STATE)
        if recorded is None:
            return None
        found = recorded.get("status")
        if found not in list(RunState):
            message = f"must be one of {', '.join(RunState)}, got {found!r:.60}; remove the file, or use --again"
            raise InputError(message, str(self.path / _STATE), "status")
        status = RunState(found)
        # Without its process a run ended without a word: killed, or the machine went down.
        return RunState.INTERRUPTED if status is RunState.RUNNING and not alive(recorded) else status

    @property
    def when(self) -> str:
        """When the state was written last, in UTC: the end of a run that has one; empty while there is none."""
        with suppress(OSError):
            return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime((self.path / _STATE).stat().st_mtime))
        return ""

    @property
    def elsewhere(self) -> bool:
        """Whether another process is computing the run."""
        recorded = self._recorded()
        return recorded.get("status") == RunState.RUNNING and recorded.get("pid") != os.getpid() and alive(recorded)

    @property
    def finished(self) -> bool:
        """Whether the result is there and need not be computed again."""
        return self.state is RunState.FINISHED and (self.path / "result.json").is_file()

    def answers(self, study: Study | SparseStudy) -> bool:
        """Whether the result is there that ``study`` asks for: of as large a budget, or one that no budget changes."""
        with suppress(InputError, LookupError, TypeError):
            done, result = (self.read_json(_STATE) or {})["done"], self.read_json("result.json")
            if done is None or result is None or result.get("stop") == "interrupted":
                return False
            proven = (Status.OPTIMAL.value, Status.INFEASIBLE.value)
            return result.get("status") in proven or study.budget.covered_by(done)
        return False

    def start(self, study: Study | SparseStudy) -> None:
        """Write the effective study and the state ``running``; finished parts stay, and the result of a shorter run."""
        recorded = self._recorded()
        if not self.elsewhere:
            for path in (*self.path.glob(".*.tmp"), *self.path.glob("tasks/.*.tmp")):
                path.unlink(missing_ok=True)  # what a killed process was writing
        self.write_text("study.yaml", effective(study))
        budget = study.budget.model_dump(include={"seconds", "work"})
        more = {"budget": budget, "done": recorded.get("done"), **process(os.getpid())}
        self._record(RunState.RUNNING, started=time.time(), **more)

    def end(self, status: RunState, exit_code: int = 0, message: str = "") -> None:
        """Record how the run ended; call it after everything else is written."""
        recorded = self._recorded()
        earlier, now = recorded.get("started"), time.time()
        started = earlier if isinstance(earlier, int | float) else now
        budget, done = recorded.get("budget"), recorded.get("done")
        done = budget if status is RunState.FINISHED else done if status is RunState.INTERRUPTED else None
        record = {"started": started, "seconds": round(now - started, 3), "exit_code": exit_code, "message": message}
        self._record(status, **record, budget=budget, done=done)

    def _recorded(self) -> dict[str, Any]:
        with suppress(InputError):
            return self.read_json(_STATE) or {}
        return {}

    def _record(self, status: RunState, **more: Any) -> None:
        self.write_json(_STATE, {"status": status.value, "version": __version__, **more})

    def clear(self) -> None:
        """Remove what an earlier run left in the folder; files of others stay."""
        own = [self.path / name for name in (_STATE, *RUN_FILES, *OTHER_FILES)]
        several = ("design-*.yaml", "problem-*.json", "solution-*.json", "tasks/*.json")
        own += [path for pattern in several for path in self.path.glob(pattern)]
        own += [self.path / name for name in ("stability.json", "sensitivity.json", _PARTS)]
        for path in own:  # the state first: a half-cleared folder is not a finished run
            path.unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of the run atomically; returns its path."""
        write_atomic(self.path / name, text)
        return self.path / name

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON atomically (NaN and infinities are refused); returns its path."""
        return self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def text_of(self, name: str) -> str:
        """A file of the run as it stands; empty when it is missing."""
        path = self.path / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def read_json(self, name: str) -> Any:
        """Content of a JSON file of the run; ``None`` when it is missing.

        Raises
        ------
        InputError
            If it is not whole, or not the object that a run writes.
        """
        path = self.path / name
        again = "remove it, or compute again with --again"
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except json.JSONDecodeError as error:
            raise InputError(f"not valid JSON: {error.msg}; {again}", f"{path}:{error.lineno}:{error.colno}") from None
        except (ValueError, RecursionError) as error:  # no UTF-8, numbers of thousands of digits, or nested
            raise InputError(f"cannot be read: {error!s:.80}; {again}", str(path)) from None
        if not isinstance(value, dict):
            raise InputError(f"needs an object, got {value!r:.60}; {again}", str(path))
        if name == "result.json":
            refuse_newer(value, str(path))
        return value

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Say of what is wrong with the content of a JSON file of the run where it stands.

        Raises
        ------
        InputError
            For one that was raised inside, and for content that is not what a run writes.
        """
        try:
            yield
        except InputError as error:
            with suppress(InputError):
                error = located(error, load_yaml(self.path / name))
            raise error from None
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self.not_written(name, error) from None

    def not_written(self, name: str, error: Exception) -> InputError:
        """What is said of a file whose content led to ``error``."""
        message = f"is not what a run writes ({type(error).__name__}: {error!s:.80}); compute again with --again"
        return InputError(message, str(self.path / name))

    def append_trace(self, record: Mapping[str, Any]) -> None:
        """Add a line to ``trace.jsonl``; it is on disk when this returns."""
        self._append("trace.jsonl", record)

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        (path := self.path / name).parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
        with naming(path), path.open("ab", buffering=0) as file:  # one call: a killed process leaves whole lines
            file.write(line.encode())

    def read_trace(self, name: str = "trace.jsonl") -> list[dict[str, Any]]:
        """The records of ``trace.jsonl`` or another such file; a last line that was cut off is left out."""
        records: list[dict[str, Any]] = []
        path = self.path / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            with suppress(json.JSONDecodeError):
                records.append(json.loads(line))
        return records

    def get(self, key: str) -> dict[str, Any] | None:
        """Result of the finished part ``key``; ``None`` if there is none, or, which is said, if it is not used.

        What is not whole, was changed or is of another run is computed again.

        Raises
        ------
        ValueError
            If ``key`` is no file name of letters, digits, dots, dashes and underscores.
        """
        name = _task_file(key)
        try:
            found = self.read_json(name)
        except InputError as error:
            self.say(f"not used: {error}")
            return None
        if found is None:
            return None
        value = found.get("value")
        if found.get("run") != self.path.name:
            self.say(f"not used: {self.path / name} is of another run, {found.get('run')!r:.80}")
        elif not isinstance(value, dict) or found.get("sha256") != _digest(value):
            self.say(f"not used: {self.path / name} is not as it was written")
        else:
            return value
        return None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep the result of part ``key``, a mapping of JSON values; one cut by a crash of the machine is not used."""
        text = json.dumps(dict(value), sort_keys=True, allow_nan=False)
        head = json.dumps({"run": self.path.name, "sha256": hashlib.sha256(text.encode()).hexdigest()})
        write_atomic(self.path / _task_file(key), f'{head[:-1]}, "value": {text}}}', sync=False)

    def note(self, event: str, key: str) -> None:
        """Add a line to ``tasks/parts.jsonl``: that a part was ``begun``, ``kept`` or ``read``, and when."""
        self._append(_PARTS, {"seconds": round(time.time(), 3), "event": event, "part": key})


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _task_file(key: str) -> str:
    if not _KEY.match(key):
        raise ValueError(f"not a task key: {key!r}")
    return f"tasks/{key}.json"


def open_run(runs: Path, study: Study | SparseStudy, content: Mapping[str, str] | None = None) -> RunFolder:
    """The folder of a run of ``study`` below ``runs``; nothing is written yet. ``content`` as in ``run_hash``."""
    return RunFolder(Path(runs) / f"{slug(study.name)}-{run_hash(study, content)}")


def list_runs(runs: Path) -> tuple[RunFolder, ...]:
    """The runs below ``runs``, oldest first."""
    folders = [path.parent for path in Path(runs).glob(f"*/{_STATE}")]
    return tuple(RunFolder(path) for path in sorted(folders, key=lambda p: ((p / _STATE).stat().st_mtime, p.name)))


def find_run(runs: Path, name: str, *, latest: bool | None = None) -> RunFolder:
    """The run that ``name`` means: a folder, or the start of the name of one below ``runs``.

    Of several, ``latest`` takes the newest; ``None`` is ``False`` where there is no option to name.

    Raises
    ------
    InputError
        If there is none, or if there are several; names them.
    """
    if (Path(name) / _STATE).is_file():
        return RunFolder(Path(name))
    if (Path(name) / "sweep.yaml").is_file():
        raise InputError(f"{name} is a sweep, not a run; `accmine results {name}` lists its points, which are runs")
    known = {run.path.name: run for run in list_runs(runs)}
    matches = [name] if name in known else [own for own in known if own.startswith(name)]
    if not matches:
        listed = ", ".join(known) if known else f"none in {runs}"
        raise InputError(f"no run {name!r}; {did_you_mean(name, known)}known: {listed}")
    if len(matches) > 1 and not latest:
        several = ", ".join(f"{own} ({known[own].when})" for own in matches)
        more = "" if latest is None else ", or --latest"
        message = f"{name!r} is the start of {len(matches)} runs, oldest first: {several}; give more of the name{more}"
        raise InputError(message)
    return known[matches[-1]]
