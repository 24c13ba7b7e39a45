"""Who works in the folder of a sweep: lock files that name their process, also across machines.

A lock is made by ``O_EXCL``, which network file systems keep too. A process of this machine is asked for by its number,
boot and start, so that no lock outlives it. Of one of another machine nothing can be asked: its lock is renewed while
it works, and what was not renewed for long is stale. Ages are differences of times that the file server wrote, for
clocks of machines differ.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import naming
from accmine.questions.run.process import alive, process
from accmine.questions.sweep.shards import Shard, shard_of

__all__ = ["claimed", "claims"]

BEAT_S = 15.0
"""Between two renewals of a lock."""
STALE_S = 120.0
"""A lock of another machine that was not renewed for so long is of a process that ended; far above the minute for
which network file systems keep what they know of a file."""


@contextmanager
def claimed(folder: Path, shard: Shard | None, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Hold ``shard`` of the sweep in ``folder``, or all of it, inside the block.

    Yields a function that raises if the lock is no longer held, to be called before anything is written. Locks of
    processes that ended are removed, which ``say`` is told.

    Raises
    ------
    InputError
        If another process works at any of the same points; names it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex
    path = folder / _name(shard)
    own = {**_who(), "token": token, "part": str(shard or "")}
    while not _made(path, own):
        _refuse_or_remove(path, say)
    lost, done = threading.Event(), threading.Event()

    def check() -> None:
        if lost.is_set() or _read(path).get("token") != token:
            raise InputError(f"the lock {path} was taken over by another process: this one has not renewed it for long")

    def renew() -> None:
        while not done.wait(BEAT_S):
            with suppress(OSError):  # of a server that is away for a while
                if _read(path).get("token") != token:
                    lost.set()
                    return
                os.utime(path)

    try:
        for other in sorted(folder.glob(".lock-*")):
            part = _part(other)
            if other != path and (shard is None or shard.clashes(part)):
                while other.exists():
                    _refuse_or_remove(other, say)
        thread = threading.Thread(target=renew, name="accmine-lock", daemon=True)
        thread.start()
        yield check
    finally:
        done.set()
        with suppress(OSError):
            if _read(path).get("token") == token:
                path.unlink()


def claims(folder: Path) -> dict[str, str]:
    """Parts of a sweep that living processes hold, and what is said of them; the part of a whole sweep is empty."""
    found = {}
    for path in sorted(folder.glob(".lock-*")):
        with suppress(OSError):
            if _lives(path, told := _read(path)):
                found[str(_part(path) or "")] = _words(told)
    return found


def _name(shard: Shard | None) -> str:
    return f".lock-{shard.number}-of-{shard.count}" if shard else ".lock-all"


def _part(path: Path) -> Shard | None:
    """The shard that a lock is of, by its name: its content may not be written yet."""
    with suppress(InputError):
        return shard_of(path.name.removeprefix(".lock-").replace("-of-", "/"))
    return None


def _who() -> dict[str, Any]:
    """What tells this process from others, also of other machines and containers."""
    found = {**process(os.getpid()), "host": socket.gethostname()}
    with suppress(OSError):
        found["space"] = os.readlink("/proc/self/ns/pid")  # numbers of processes mean something in one only
    return found


def _made(path: Path, content: dict[str, Any]) -> bool:
    """Whether the lock was made; not if there is one."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with naming(path), os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(content))
        file.flush()
        os.fsync(file.fileno())
    return True


def _read(path: Path) -> dict[str, Any]:
    """Content of a lock; empty if there is none, or none yet."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lives(path: Path, told: dict[str, Any]) -> bool:
    """Whether the process of a lock is there."""
    own = _who()
    if all(told.get(key) == own.get(key) for key in ("host", "boot", "space")):
        return alive(told)
    return _fresh(path)


def _fresh(path: Path) -> bool:
    """Whether a file was written or renewed lately."""
    probe = path.parent / f".probe-{uuid.uuid4().hex}"
    try:
        probe.touch()
        with path.open("rb") as file, probe.open("rb") as now:  # opened: then the server is asked, and not a cache
            return os.fstat(now.fileno()).st_mtime - os.fstat(file.fileno()).st_mtime < STALE_S
    except FileNotFoundError:
        return False
    finally:
        probe.unlink(missing_ok=True)


def _words(told: dict[str, Any]) -> str:
    return f"process {told.get('pid', 'unknown')} on {told.get('host', 'an unknown machine')}"


def _refuse_or_remove(path: Path, say: Callable[[str], None]) -> None:
    """Remove the lock of a process that ended.

    Raises
    ------
    InputError
        If the process is there.
    """
    told = _read(path)
    if _lives(path, told):
        part = _part(path)
        what = f"shard {part} of this sweep" if part else "this sweep"
        raise InputError(
            f"{what} is being computed by {_words(told)}; wait for it, or end it (where that machine went down, "
            f"its lock {path} is stale after {STALE_S:.0f} s, or remove it)"
        )
    # Several may find it stale, and by now the lock may be a new one: who makes a file of the name of the stale lock
    # looks again and removes it, and nobody else. A lock that is held is never moved, not even for a moment.
    only = path.with_name(f".stale-{hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:16]}")
    try:
        os.close(os.open(only, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        if not _fresh(only):  # of one that was killed just there
            only.unlink(missing_ok=True)
        time.sleep(0.01)
        return
    try:
        if path.exists() and _read(path) == told:
            path.unlink()
            say(f"{_words(told)} ended without a word; its lock is removed")
    finally:
        only.unlink(missing_ok=True)
