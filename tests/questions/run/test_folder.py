"""The run folder: atomic, found by content, resumed by task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml, validate, write_atomic
from accmine.questions.run import folder as store
from accmine.questions.run.folder import (
    RunFolder,
    RunState,
    code_hash,
    find_run,
    list_runs,
    open_run,
    run_hash,
    solver_versions,
    task_key,
)
from accmine.study import Study


def study(name: str = "A study: 1", seed: int = 0) -> Study:
    text = f"name: '{name}'\nworkloads: [{{use: bert-large, batch: 8}}]\naccelerator: {{use: wham}}\n"
    return validate(load_yaml(text=text, overrides=[f"budget.seed={seed}"]), Study)


def test_a_run_from_start_to_end(tmp_path: Path) -> None:
    folder = open_run(tmp_path, study())
    assert not folder.path.exists()
    assert folder.state is None
    assert not folder.finished
    folder.start(study())
    assert folder.state is RunState.RUNNING
    folder.write_json("result.json", {"value": 1.5})
    assert not folder.finished
    folder.end(RunState.FINISHED)
    assert folder.finished
    assert folder.path.name.startswith("a-study-1-")
    assert validate(load_yaml(folder.path / "study.yaml"), Study) == study()
    state = folder.read_json("state.json")
    assert state["status"] == "finished"
    assert state["exit_code"] == 0
    assert state["seconds"] >= 0
    # the same study finds it, another does not
    assert open_run(tmp_path, study()).finished
    assert not open_run(tmp_path, study(seed=1)).finished


@pytest.mark.parametrize("status", [RunState.INTERRUPTED, RunState.FAILED])
def test_only_finished_is_finished(tmp_path: Path, status: RunState) -> None:
    folder = open_run(tmp_path, study())
    folder.start(study())
    folder.write_json("result.json", {})
    folder.end(status, 130, "why")
    assert folder.state is status
    assert not folder.finished


def test_a_cleared_folder_has_nothing_of_the_earlier_run(tmp_path: Path) -> None:
    folder = open_run(tmp_path, study())
    folder.start(study())
    folder.write_json("result.json", {})
    folder.write_text("design-s0.yaml", "a: 1\n")
    folder.append_trace({"seconds": 1})
    folder.put("k", {"a": 1})
    folder.end(RunState.FINISHED)
    (folder.path / "notes.txt").write_text("mine")
    folder.clear()
    assert [path.name for path in folder.path.iterdir() if path.is_file()] == ["notes.txt"]
    assert folder.get("k") is None


def test_tasks_survive_an_interruption(tmp_path: Path) -> None:
    folder = open_run(tmp_path, study())
    folder.start(study())
    key = task_key(stage=0, design="tc2", seconds=1.0)
    assert folder.get(key) is None
    folder.put(key, {"cycles": 2**60})
    folder.end(RunState.INTERRUPTED, 130)
    later = open_run(tmp_path, study())
    later.start(study())
    assert later.get(key) == {"cycles": 2**60}


def test_a_broken_task_is_computed_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.put("k", {"a": 1})
    (tmp_path / "tasks" / "k.json").write_text('{"a": ')
    assert folder.get("k") is None
    (tmp_path / "tasks" / "k.json").write_text("[1]")
    assert folder.get("k") is None


@pytest.mark.parametrize("key", ["", "../up", "a/b", ".hidden", "a\n", "x" * 300])
def test_task_keys_are_file_names(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a task key"):
        RunFolder(tmp_path).put(key, {})
    with pytest.raises(ValueError, match="not a task key"):
        RunFolder(tmp_path).get(key)


_VALUES = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(_VALUES)
def test_what_is_put_is_got(tmp_path: Path, value: dict[str, Any]) -> None:
    folder = RunFolder(tmp_path)
    key = task_key(**{f"k{name}": item for name, item in value.items()})
    folder.put(key, value)
    assert folder.get(key) == value


@given(_VALUES)
def test_task_keys_depend_on_content_and_not_on_order(value: dict[str, Any]) -> None:
    table = {f"k{name}": item for name, item in value.items()}
    assert task_key(**table) == task_key(**dict(reversed(table.items())))
    assert task_key(**table) != task_key(**table, more=1)


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for call in (folder.put, folder.write_json):
        with pytest.raises(ValueError, match="JSON"):
            call("k", {"a": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        task_key(a=float("inf"))
    assert list(tmp_path.rglob("*.json")) == []


def test_readers_see_whole_files_only(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    texts = [json.dumps([index] * 5000) for index in range(40)]
    write_atomic(file, texts[0])
    seen: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(file.read_text())

    reader = threading.Thread(target=watch)
    reader.start()
    for text in texts:
        write_atomic(file, text)
    done.set()
    reader.join()
    assert set(seen) <= set(texts)
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    write_atomic(file, "old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(file, "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_files_are_readable_by_others(tmp_path: Path) -> None:
    write_atomic(tmp_path / "f", "x")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644


def test_trace(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.read_trace() == []
    folder.append_trace({"seconds": 0.1, "objective": 3})
    folder.append_trace({"seconds": 0.2, "objective": 2})
    with (folder.path / "trace.jsonl").open("a") as file:
        file.write('{"seconds": 0.3, "obj')
    assert [record["objective"] for record in folder.read_trace()] == [3, 2]


def test_hash_covers_code_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    base = run_hash(study())
    assert base == run_hash(study())
    with monkeypatch.context() as patch:
        patch.setattr(store, "code_hash", lambda: "other")
        assert run_hash(study()) != base
    with monkeypatch.context() as patch:
        patch.setattr(store, "solver_versions", lambda: {"ortools": "0"})
        assert run_hash(study()) != base
    assert run_hash(study()) == base


def test_code_hash_reads_models_solvers_and_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    store.code_hash.cache_clear()
    read: list[str] = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self.name) or original(self))  # type: ignore[func-returns-value]
    first = code_hash()
    monkeypatch.undo()
    assert {"cpsat.py", "quickstart.yaml", "registry.py", "operator_schedule_cpsat.py"} <= set(read)
    store.code_hash.cache_clear()
    assert code_hash() == first


def test_versions() -> None:
    versions = solver_versions()
    assert {"accmine", "ortools", "highspy", "pyomo", "numpy"} == set(versions)
    assert "missing" not in versions.values()


def test_finding_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none in"):
        find_run(tmp_path, "x")
    for index, seed in enumerate((0, 1)):
        folder = open_run(tmp_path, study("one", seed))
        folder.start(study("one", seed))
        os.utime(folder.path / "state.json", (1000 + index, 1000 + index))
    newest = open_run(tmp_path, study("one", 1))
    assert [run.path.name for run in list_runs(tmp_path)][-1] == newest.path.name
    assert find_run(tmp_path, "one") == newest
    assert find_run(tmp_path, str(newest.path)) == newest
    with pytest.raises(InputError, match="known: one-"):
        find_run(tmp_path, "two")
    assert list_runs(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    ("name", "slug"), [("gpt2-xl on four!", "gpt2-xl-on-four-"), ("日本", "study-"), ("../x", "x-")]
)
def test_folder_names(tmp_path: Path, name: str, slug: str) -> None:
    path = open_run(tmp_path, study(name)).path
    assert path.name.startswith(slug)
    assert path.parent == tmp_path


def test_a_run_whose_process_is_gone_is_not_running(tmp_path: Path) -> None:
    folder = open_run(tmp_path, study())
    folder.start(study())
    state = folder.read_json("state.json")
    assert state is not None
    assert folder.state is RunState.RUNNING
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for change in ({"pid": gone.pid}, {"boot": "another"}, {"ticks": "1"}):
        folder.write_json("state.json", state | change)
        assert RunFolder(folder.path).state is RunState.INTERRUPTED, change
    del state["pid"]
    folder.write_json("state.json", state)
    assert RunFolder(folder.path).state is RunState.INTERRUPTED
