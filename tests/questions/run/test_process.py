"""Whether the process of a run lives: it is there, and no other under its number."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accmine.questions.run.process import alive, process

TOLD = process(os.getpid())
needs_proc = pytest.mark.skipif("ticks" not in TOLD, reason="the system does not tell of processes")


def test_this_process_lives_and_is_told_alike() -> None:
    assert TOLD["pid"] == os.getpid()
    assert process(os.getpid()) == TOLD
    assert alive(TOLD)
    assert alive({"pid": os.getpid()} | TOLD | {"status": "running"})


@needs_proc
@pytest.mark.parametrize("change", [{"boot": "another"}, {"ticks": "1"}, {"boot": None}, {"ticks": None}])
def test_another_boot_or_start_is_another_process(change: dict[str, Any]) -> None:
    assert not alive(TOLD | change)
    (key,) = change
    assert not alive({k: v for k, v in TOLD.items() if k != key})


def test_a_process_that_ended_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        told = process(child.pid)
        assert alive(told)
        child.communicate(b"\n")
    assert told["pid"] == child.pid
    assert not alive(told)


@pytest.mark.parametrize(
    "recorded", [{}, {"pid": None}, {"pid": str(os.getpid())}, {"boot": TOLD.get("boot")}, {"pid": 2**70}, {"pid": -1}]
)
def test_a_state_without_a_process_is_taken_for_ended(recorded: dict[str, Any]) -> None:
    assert not alive(recorded)


def test_the_process_of_somebody_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int, signal: int) -> None:
        assert (pid, signal) == (os.getpid(), 0)
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)
    assert alive(TOLD)
    if "ticks" in TOLD:
        assert not alive(TOLD | {"ticks": "1"})


def stat_of(name: str, start: int) -> str:
    """A line of /proc/PID/stat: number, name in brackets, state, and fields 4 to 52, each its own number."""
    fields = [str(start if field == 22 else field) for field in range(4, 53)]
    return " ".join(["7", f"({name})", "S", *fields]) + "\n"


@pytest.mark.parametrize("name", ["python", "two words", "a) 1 2 (b", ")"])
def test_the_start_is_found_behind_any_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/proc/sys/kernel/random/boot_id": "b-1\n", "/proc/7/stat": stat_of(name, 4711)}

    def read(path: Path, **more: Any) -> str:
        del more
        return files[str(path)]

    monkeypatch.setattr(Path, "read_text", read)
    assert process(7) == {"pid": 7, "boot": "b-1", "ticks": "4711"}


def test_a_system_that_tells_nothing_leaves_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path, **more: Any) -> str:
        raise FileNotFoundError(path, more)

    monkeypatch.setattr(Path, "read_text", missing)
    assert process(os.getpid()) == {"pid": os.getpid()}
    assert alive(TOLD)
