"""A Dask cluster on loopback in processes of its own, and jobs for its workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent

_NURSERY = """
import asyncio, json, os, sys
import accmine.questions.sweep.executors, accmine.questions.run.folder, accmine.version
from distributed import Scheduler, Worker

async def scheduler(port):
    async with Scheduler(host="127.0.0.1", port=port, dashboard=False) as made:
        print(json.dumps([os.getpid(), made.address]), flush=True)
        await made.finished()

async def worker(address, version):
    if version:
        accmine.version.__version__ = accmine.questions.run.folder.__version__ = version
    async with Worker(address, host="127.0.0.1", nthreads=1, memory_limit=0, dashboard=False) as made:
        print(json.dumps([os.getpid(), made.address]), flush=True)
        await made.finished()

for line in sys.stdin:
    name, *arguments = json.loads(line)
    if os.fork() == 0:
        asyncio.run(globals()[name](*arguments))
        os._exit(0)
"""
"""Imports once what all of them need, then is forked into each."""


@dataclass
class Cluster:
    """A scheduler and workers of one thread each: process numbers by address."""

    folder: Path
    address: str = ""
    processes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._nursery = subprocess.Popen(
            [sys.executable, "-P", "-c", _NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    @property
    def workers(self) -> list[str]:
        """Addresses of the workers that were not killed."""
        return [address for address in self.processes if address != self.address]

    def scheduler(self, port: int = 0) -> None:
        """Start the scheduler."""
        self.address = self._forked("scheduler", port)

    def worker(self, version: str = "") -> str:
        """Start a worker, which says to be of another ``version`` of accmine if one is given; returns its address."""
        return self._forked("worker", self.address, version)

    def kill(self, address: str) -> None:
        """Kill one of them."""
        os.kill(self.processes.pop(address), signal.SIGKILL)

    def end(self) -> None:
        """Kill all that is left."""
        for address in list(self.processes):
            self.kill(address)
        self._nursery.kill()
        self._nursery.communicate()

    def _forked(self, *order: Any) -> str:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        pid, address = json.loads(self._nursery.stdout.readline())
        self.processes[address] = pid
        return str(address)


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A cluster of so many workers of one thread."""
    made = Cluster(folder)
    try:
        made.scheduler()
        for _ in range(workers):
            made.worker()
        yield made
    finally:
        made.end()


def noted(argument: Any) -> Any:
    """A job: writes down that it begins, and where; then takes its time."""
    with Path(argument["log"]).open("a") as file:
        file.write(f"{argument['key']} {os.getpid()}\n")
    time.sleep(argument.get("seconds", 0.0))
    if "raises" in argument:
        raise ValueError(argument["raises"])
    return {"key": argument["key"], "square": argument["key"] ** 2}


def deadly(argument: Any) -> Any:
    """A job: ends its worker, whatever that is."""
    noted(argument)
    os.kill(os.getpid(), signal.SIGKILL)


def starts(log: Path) -> list[tuple[int, int]]:
    """Keys and processes of the jobs that began."""
    lines = log.read_text().splitlines() if log.is_file() else []
    return [(int(key), int(pid)) for key, pid in (line.split() for line in lines)]
