"""Locks of sweeps: one process at a point, whatever became of the one before, here or on another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.questions.sweep import lock
from accmine.questions.sweep.lock import claimed, claims
from accmine.questions.sweep.shards import Shard

HERE = f"process {os.getpid()} on "
HOLD = "import sys; from pathlib import Path; from accmine.questions.sweep.lock import claimed\n"
HOLD += "from accmine.questions.sweep.shards import Shard\n"
HOLD += "with claimed(Path(sys.argv[1]), Shard(1, 2), print): print('held', flush=True); input()"


def silent(text: str) -> None:
    raise AssertionError(text)


def written(path: Path, **changes: Any) -> Path:
    """A lock of another process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**lock._who(), "token": "theirs", **changes}))
    return path


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (None, None, "this sweep is being computed"),
        (None, Shard(1, 2), "this sweep is being computed"),
        (Shard(1, 2), None, "shard 1/2 of this sweep is being computed"),
        (Shard(1, 2), Shard(1, 2), "shard 1/2 of this sweep is being computed"),
        (Shard(1, 2), Shard(1, 3), "shard 1/2 of this sweep is being computed"),
        (Shard(1, 2), Shard(2, 2), None),
    ],
)
def test_who_may_hold_the_same_points_is_refused(
    first: Shard | None, second: Shard | None, clash: str | None, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stack.enter_context(claimed(tmp_path, first, silent))
        if clash is None:
            stack.enter_context(claimed(tmp_path, second, silent))
            assert set(claims(tmp_path)) == {"1/2", "2/2"}
        else:
            with pytest.raises(InputError, match=f"^{clash} by {HERE}"):
                stack.enter_context(claimed(tmp_path, second, silent))
            assert claims(tmp_path).keys() == {str(first or "")}, "the one that was refused holds nothing"
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"by process {child.pid} on"), claimed(tmp_path, Shard(1, 2), silent):
            pass
        child.kill()
    assert claims(tmp_path) == {}
    said: list[str] = []
    with claimed(tmp_path, Shard(1, 2), said.append):
        assert claims(tmp_path)["1/2"].startswith(HERE)
    assert [text.partition(" on ")[0] for text in said] == [f"process {child.pid}"]


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot": "another"}, {"space": "pid:[1]"}])
def test_a_lock_of_another_machine_is_stale_once_it_is_not_renewed(change: dict[str, str], tmp_path: Path) -> None:
    theirs = written(tmp_path / ".lock-all", pid=1, **change)
    aged(theirs, lock.STALE_S / 2)
    with pytest.raises(InputError, match=r"process 1 on .* is stale after 120 s"), claimed(tmp_path, None, silent):
        pass
    aged(theirs, lock.STALE_S + 1)
    said: list[str] = []
    with claimed(tmp_path, None, said.append) as check:
        check()
    assert len(said) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_not_written_yet_is_one(tmp_path: Path) -> None:
    (tmp_path / ".lock-all").touch()
    with pytest.raises(InputError, match="process unknown on an unknown machine"), claimed(tmp_path, None, silent):
        pass
    aged(tmp_path / ".lock-all", lock.STALE_S + 1)
    with claimed(tmp_path, None, lambda _: None):
        pass


def test_a_lock_is_renewed_and_who_lost_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_S", 0.01)
    path = tmp_path / ".lock-all"
    with claimed(tmp_path, None, silent) as check:
        aged(path, 1000)
        until(lambda: time.time() - path.stat().st_mtime < 500)
        check()
        written(path)
        with pytest.raises(InputError, match="was taken over by another process"):
            check()
    assert json.loads(path.read_text())["token"] == "theirs", "it is not ours to remove"


def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("not so within 5 s")


def test_of_many_that_find_it_stale_one_gets_it(tmp_path: Path) -> None:
    aged(written(tmp_path / ".lock-all", host="elsewhere"), 1000)
    holding, most, got, refused = [0], [0], [0], [0]
    barrier, guard = threading.Barrier(8), threading.Lock()

    def attempt() -> None:
        barrier.wait()
        try:
            with claimed(tmp_path, None, lambda _: None) as check:
                with guard:
                    holding[0] += 1
                    got[0] += 1
                    most[0] = max(most[0], holding[0])
                time.sleep(0.02)
                check()
                with guard:
                    holding[0] -= 1
        except InputError:
            refused[0] += 1

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert got[0] >= 1
    assert got[0] + refused[0] == 8
    assert list(tmp_path.iterdir()) == []


def test_who_is_late_to_find_it_stale_does_not_touch_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aged(path := written(tmp_path / ".lock-all", host="elsewhere"), 1000)
    real, here, go = lock._lives, threading.current_thread(), threading.Event()
    found, done = threading.Event(), threading.Event()
    seen: list[str] = []

    def lives(*of: Any) -> bool:
        answer = real(*of)
        if threading.current_thread() is not here and not found.is_set():
            found.set()
            assert go.wait(10)
        return answer

    def attempt() -> None:
        try:
            with claimed(tmp_path, None, seen.append):
                seen.append("held")
        except InputError as error:
            seen.append(str(error))
        done.set()

    monkeypatch.setattr(lock, "_lives", lives)
    threading.Thread(target=attempt).start()
    assert found.wait(10)
    with claimed(tmp_path, None, lambda _: None) as check:
        before = path.stat()
        go.set()
        assert done.wait(10)
        after = path.stat()
        assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns), "neither moved nor written"
        check()
    assert seen[0].startswith(f"this sweep is being computed by {HERE}")
    assert list(tmp_path.iterdir()) == []


def test_who_was_killed_as_it_removed_one_stands_in_nobody_s_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aged(written(tmp_path / ".lock-all", host="elsewhere"), 1000)
    unlink = Path.unlink

    def killed(self: Path, **how: Any) -> None:
        if self.name == ".lock-all" or self.name.startswith(".stale-"):
            raise OSError("killed")
        unlink(self, **how)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(OSError, match="killed"), claimed(tmp_path, None, silent):
        pass
    monkeypatch.setattr(Path, "unlink", unlink)
    (left,) = tmp_path.glob(".stale-*")
    aged(left, 1000)
    with claimed(tmp_path, None, lambda _: None) as check:
        check()
    assert list(tmp_path.iterdir()) == []
