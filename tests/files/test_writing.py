"""Files are written whole or not at all, and nothing is left beside them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.files import naming, write_atomic


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=200))
def test_the_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("written") / "a" / "b.txt"
    write_atomic(path, text)
    assert path.read_text(encoding="utf-8") == text
    assert os.listdir(path.parent) == ["b.txt"]


def test_others_may_read_it_and_the_old_text_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    write_atomic(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_fails_leaves_the_old_text_and_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")

    def fail(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    monkeypatch.undo()
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "half of it \ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_no_reader_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    texts = ["a" * 200_000, "b" * 300_000]
    write_atomic(path, texts[0])
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        for i in range(40):
            write_atomic(path, texts[i % 2])
    finally:
        ended.set()
        reader.join()
    assert seen <= set(texts)


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_atomic(pipe, "text é")
    reader.join(10)
    assert read == ["text é"]
    assert pipe.is_fifo()


def test_a_device_stays_one_and_a_full_disk_names_the_file() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="/dev/full"):
        write_atomic(full, "text")
    write_atomic(Path("/dev/null"), "text")
    assert full.is_char_device()
    assert Path("/dev/null").is_char_device()


def test_a_disk_that_is_full_names_the_file_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*run\.json'"):
        write_atomic(tmp_path / "run.json", "text")
    assert os.listdir(tmp_path) == []


def test_what_fails_under_a_name_says_it(tmp_path: Path) -> None:
    for error in (OSError(28, "No space left on device"), OSError(28, "No space left on device", "another")):
        with pytest.raises(OSError, match="No space left") as caught, naming(tmp_path / "own"):
            raise error
        assert caught.value.filename == str(tmp_path / "own")
    plain = OSError("no number")
    with pytest.raises(OSError, match="no number") as caught, naming(tmp_path / "own"):
        raise plain
    assert caught.value is plain
