"""A Dask cluster on loopback in processes of its own, and jobs for its workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent

_NURSERY = """
import asyncio, json, os, signal, sys
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

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what was killed is gone at once
for line in sys.stdin:
    name, *arguments = json.loads(line)
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        asyncio.run(globals()[name](*arguments))
        os._exit(0)
"""
"""Imports once what all of them need, then is forked into each."""


class Nursery:
    """The process from which schedulers and workers are forked."""

    def __init__(self, folder: Path) -> None:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def fork(self, *order: Any) -> tuple[int, str]:
        """Process and address of a new scheduler or worker."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        pid, address = json.loads(self.process.stdout.readline())
        return pid, address

    def end(self) -> None:
        """Fork no more."""
        self.process.kill()
        self.process.communicate()


@dataclass
class Cluster:
    """A scheduler and workers of one thread each: process numbers by address."""

    nursery: Nursery
    address: str = ""
    processes: dict[str, int] = field(default_factory=dict)

    @property
    def workers(self) -> list[str]:
        """Addresses of the workers that were not killed."""
        return [address for address in self.processes if address != self.address]

    def scheduler(self) -> None:
        """Start the scheduler."""
        pid, self.address = self.nursery.fork("scheduler", 0)
        self.processes[self.address] = pid

    def worker(self, version: str = "") -> str:
        """Start a worker, which says to be of another ``version`` of accmine if one is given; returns its address."""
        pid, address = self.nursery.fork("worker", self.address, version)
        self.processes[address] = pid
        return address

    def kill(self, address: str) -> None:
        """Kill one of them."""
        with suppress(ProcessLookupError):  # a worker without its scheduler ends by itself
            os.kill(self.processes.pop(address), signal.SIGKILL)


@contextmanager
def cluster(nursery: Nursery, workers: int = 2) -> Iterator[Cluster]:
    """A cluster of so many workers of one thread."""
    made = Cluster(nursery)
    try:
        made.scheduler()
        for _ in range(workers):
            made.worker()
        yield made
    finally:
        for address in list(made.processes):
            made.kill(address)


def done(executor: Executor, function: Callable[[Any], Any], jobs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value or error of jobs, as they end."""
    futures = {executor.submit(function, job): key for key, job in jobs.items()}
    for future in as_completed(futures, timeout=60):
        yield futures[future], future.exception() or future.result()


def jobs(log: Path, count: int, **more: Any) -> dict[str, dict[str, Any]]:
    """Arguments of ``noted`` by name."""
    return {f"p{key}": {"key": key, "log": str(log), **more} for key in range(count)}


def squares(count: int) -> dict[str, Any]:
    """What ``done`` comes to with ``noted`` and so many ``jobs``."""
    return {f"p{key}": {"key": key, "square": key**2} for key in range(count)}


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
