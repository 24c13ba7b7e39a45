"""The folder of a run: written atomically, found again by content, resumed at the last finished task.

``runs/<study>-<hash>/`` holds ``study.yaml`` (effective), ``result.json``, ``design.yaml``,
``trace.jsonl``, ``schedule.json``, ``report.html``, ``state.json`` and ``tasks/<key>.json``. The hash
covers the effective study and the files it names, the content of the installed code and the versions
of the solvers: when none of them changed, the result is the one that is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import did_you_mean, load_yaml, write_atomic
from accmine.problems.files import located
from accmine.study import Study, effective, study_hash
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
    "solver_versions",
    "task_key",
]

RUN_FILES = ("study.yaml", "result.json", "design.yaml", "trace.jsonl", "schedule.json", "report.html")
"""What a finished run holds beside its state; a pipeline's designs are further ``design-*.yaml``."""

_PACKAGES = ("accmine", "accmine.models", "accmine.solvers", "accmine.configs")
_SOURCES = (".py", ".yaml", ".csv")
_SOLVERS = ("ortools", "highspy", "pyomo", "numpy")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")
_STATE = "state.json"


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


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


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


def run_hash(study: Study, content: Mapping[str, str] | None = None) -> str:
    """First 12 hex digits of the SHA-256 of everything that decides the result of ``study``.

    ``content`` is that of its files where they were read already, as in ``study_hash``.
    """
    parts = {"study": study_hash(study, content), "code": code_hash(), "versions": solver_versions()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def task_key(**parts: Any) -> str:
    """Key of a task from JSON values that decide its result; 32 hex digits."""
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _process(pid: int) -> dict[str, Any]:
    """What tells a process from others, also of another boot; without what the system does not tell."""
    found: dict[str, Any] = {"pid": pid}
    with suppress(OSError, IndexError):
        found["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Field 22, the start in ticks since boot; the name before it may hold spaces.
        found["ticks"] = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return found


def _alive(recorded: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a state is there; those of older versions, without one, are taken for ended."""
    pid = recorded.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, but there
    return all(recorded.get(key) == value for key, value in _process(pid).items())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:60] or "study"


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

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
        return RunState.INTERRUPTED if status is RunState.RUNNING and not _alive(recorded) else status

    @property
    def finished(self) -> bool:
        """Whether the result is there and need not be computed again."""
        return self.state is RunState.FINISHED and (self.path / "result.json").is_file()

    def start(self, study: Study) -> None:
        """Write the effective study and the state ``running``; finished tasks stay."""
        self.write_text("study.yaml", effective(study))
        self._record(RunState.RUNNING, started=time.time(), **_process(os.getpid()))

    def end(self, status: RunState, exit_code: int = 0, message: str = "") -> None:
        """Record how the run ended; call it after everything else is written."""
        earlier: Any = None
        with suppress(InputError):
            earlier = (self.read_json(_STATE) or {}).get("started")
        now = time.time()
        started = earlier if isinstance(earlier, int | float) else now
        record = {"started": started, "seconds": round(now - started, 3), "exit_code": exit_code, "message": message}
        self._record(status, **record)

    def _record(self, status: RunState, **more: Any) -> None:
        self.write_json(_STATE, {"status": status.value, "version": __version__, **more})

    def clear(self) -> None:
        """Remove what an earlier run left in the folder; files of others stay."""
        own = [self.path / name for name in (_STATE, *RUN_FILES)]
        own += [*self.path.glob("design-*.yaml"), *self.path.glob("tasks/*.json"), self.path / "stability.json"]
        for path in own:  # the state first: a half-cleared folder is not a finished run
            path.unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of the run atomically; returns its path."""
        write_atomic(self.path / name, text)
        return self.path / name

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON atomically (NaN and infinities are refused); returns its path."""
        return self.write_text(name, _json_text(value))

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
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "trace.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")

    def read_trace(self) -> list[dict[str, Any]]:
        """The records of ``trace.jsonl``; a last line that was cut off is left out."""
        records: list[dict[str, Any]] = []
        path = self.path / "trace.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            with suppress(json.JSONDecodeError):
                records.append(json.loads(line))
        return records

    def get(self, key: str) -> dict[str, Any] | None:
        """Result of the finished task ``key``, or ``None``.

        Raises
        ------
        ValueError
            If ``key`` is no file name of letters, digits, dots, dashes and underscores.
        """
        name = _task_file(key)
        with suppress(InputError):  # what is not whole is computed again
            found: dict[str, Any] | None = self.read_json(name)
            return found
        return None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep the result of task ``key``, a mapping of JSON values."""
        write_atomic(self.path / _task_file(key), json.dumps(dict(value), allow_nan=False))


def _task_file(key: str) -> str:
    if not _KEY.match(key):
        raise ValueError(f"not a task key: {key!r}")
    return f"tasks/{key}.json"


def open_run(runs: Path, study: Study, content: Mapping[str, str] | None = None) -> RunFolder:
    """The folder of a run of ``study`` below ``runs``; nothing is written yet. ``content`` as in ``run_hash``."""
    return RunFolder(Path(runs) / f"{_slug(study.name)}-{run_hash(study, content)}")


def list_runs(runs: Path) -> tuple[RunFolder, ...]:
    """The runs below ``runs``, oldest first."""
    folders = [path.parent for path in Path(runs).glob(f"*/{_STATE}")]
    return tuple(RunFolder(path) for path in sorted(folders, key=lambda p: ((p / _STATE).stat().st_mtime, p.name)))


def find_run(runs: Path, name: str) -> RunFolder:
    """The run that ``name`` means: a folder, or the start of the name of one below ``runs`` (the newest).

    Raises
    ------
    InputError
        If there is none; names those that are there.
    """
    if (Path(name) / _STATE).is_file():
        return RunFolder(Path(name))
    known = list_runs(runs)
    matches = [run for run in known if run.path.name.startswith(name)]
    if not matches:
        names = [run.path.name for run in known]
        listed = ", ".join(names) if names else f"none in {runs}"
        raise InputError(f"no run {name!r}; {did_you_mean(name, names)}known: {listed}")
    return matches[-1]
