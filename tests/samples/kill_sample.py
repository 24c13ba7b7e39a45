"""Runs in processes of their own, which are killed, and what has to hold of their folder then."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accmine.questions.run.folder import RunFolder, RunState, list_runs
from accmine.questions.run.record import Outcome
from accmine.report import from_json

PATIENCE_S = 60.0


_NURSERY = """
import faulthandler, json, os, signal, sys
import accmine.cli, accmine.questions.run.run, accmine.questions.run.report
from accmine.registry import SOLVERS, make_solver
for kind, name in SOLVERS:
    make_solver(kind, name)
import accmine.solvers.engines.cpsat, accmine.solvers.engines.highs
%s
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os.setsid()  # by which its workers are found
        for number in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        order = json.loads(line)
        faulthandler.register(signal.SIGUSR1, open(order["stacks"], "w"))
        accmine.cli.main(order["arguments"])
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """A process that has imported everything, ``more`` as well, from which runs of the command line begin at once."""

    def __init__(self, more: str = "") -> None:
        command = [sys.executable, "-c", _NURSERY % more]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.folder = Path(tempfile.mkdtemp())

    def run(self, arguments: list[str], until: Callable[[], bool], number: int) -> tuple[int, int]:
        """Begin a run and send it a signal when it is time; returns its process and its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        stacks = self.folder / "stacks.txt"
        order = {"arguments": arguments, "stacks": str(stacks)}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        pid = int(self.process.stdout.readline())
        while not (over := bool(select.select([self.process.stdout], [], [], 0.01)[0])) and not until():
            pass
        if not over:
            os.kill(pid, number)
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            os.kill(pid, signal.SIGUSR1)
            time.sleep(1.0)
            os.kill(pid, signal.SIGKILL)
            self.process.stdout.readline()  # its code: the next order has its own answer
            raise AssertionError(f"signal {number} did not end a run within {PATIENCE_S} s\n{stacks.read_text()}")
        return pid, int(self.process.stdout.readline())

    def end(self) -> None:
        """Take no more orders."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        shutil.rmtree(self.folder)


@dataclass
class Killed:
    """Runs of one study in one folder, one after the other.

    Attributes
    ----------
    best
        Least value that any of them had verified.
    """

    nursery: Nursery
    study: Path
    runs: Path
    best: float = float("inf")
    codes: list[int] = field(default_factory=list)

    def run(self, seconds: float = PATIENCE_S, number: int = signal.SIGKILL) -> int:
        """Run for so long at most, then send the signal; returns the exit code, once everything it must hold holds."""
        end = time.monotonic() + seconds
        return self.run_until(lambda: time.monotonic() >= end, number)

    def run_until(self, until: Callable[[], bool], number: int) -> int:
        """As ``run``, until something is so."""
        arguments = ["run", str(self.study), "--runs", str(self.runs), "--quiet"]
        pid, code = self.nursery.run(arguments, until, number)
        self.codes.append(code)
        assert _gone(pid), "a worker outlived its parent"
        self.examine(code)
        return code

    @property
    def folder(self) -> RunFolder | None:
        """The run folder, once there is one."""
        found = list_runs(self.runs)
        assert len(found) <= 1
        return found[0] if found else None

    def examine(self, code: int) -> None:
        """Every file whole, every finished part computed once, no value worse than one before."""
        if self.folder is None:
            return
        for path in self.folder.path.rglob("*.json"):
            assert isinstance(json.loads(path.read_text()), dict), path
        ended = self.folder.state  # a signal may also come when all is written
        assert ended is RunState.FINISHED or (ended is RunState.INTERRUPTED and code != 0), (ended, code)
        assert computed_again(self.folder) == []
        kept, result = self.folder.get("answer"), self.folder.read_json("result.json")
        values = [] if kept is None else [kept["part"]["value"]]
        if result is not None:
            values.append(from_json(Outcome, result).value)
            if code in (0, 130):
                assert result["value"] <= self.best
        self.best = min([self.best, *values])


def computed_again(folder: RunFolder) -> list[str]:
    """Parts that were begun though they had been finished before."""
    finished: set[str] = set()
    again = []
    for row in folder.read_trace("tasks/parts.jsonl"):
        if row["event"] == "kept":
            finished.add(row["part"])
        elif row["event"] == "begun" and row["part"] in finished:
            again.append(row["part"])
    return again


def events(folder: RunFolder, event: str) -> list[str]:
    """Parts with an event, in order, without the digests behind their names."""
    rows: list[dict[str, Any]] = folder.read_trace("tasks/parts.jsonl")
    return [row["part"].rpartition("-")[0] or row["part"] for row in rows if row["event"] == event]


def _gone(session: int) -> bool:
    """Whether all processes of a session end soon."""
    for _ in range(100):
        if not any(_session(path) == session for path in Path("/proc").glob("[0-9]*")):
            return True
        time.sleep(0.05)
    return False


def _session(process: Path) -> int | None:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[3])
