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
from accmine.questions.run.process import process
from accmine.study import Study


def study(name: str = "A study: 1", seed: int = 0, **budget: Any) -> Study:
    text = f"name: '{name}'\nworkloads: [{{use: bert-large, batch: 8}}]\naccelerator: {{use: wham}}\n"
    changes = [f"budget.{key}={json.dumps(value)}" for key, value in ({"seed": seed} | budget).items()]
    return validate(load_yaml(text=text, overrides=changes), Study)


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
    for name in ("design-s0.yaml", "problem-1.json", "solution-1.json"):
        folder.write_text(name, "a: 1\n")
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


def test_what_is_not_used_is_named(tmp_path: Path) -> None:
    said: list[str] = []
    folder = RunFolder(tmp_path / "one", said.append)
    folder.put("k", {"a": 1})
    (tmp_path / "two" / "tasks").mkdir(parents=True)
    own, other = (tmp_path / name / "tasks" / "k.json" for name in ("one", "two"))
    other.write_text(own.read_text())
    assert RunFolder(tmp_path / "two", said.append).get("k") is None
    own.write_text(own.read_text().replace("1}", "2}"))
    assert folder.get("k") is None
    own.write_text("{")
    assert folder.get("k") is None
    assert folder.get("missing") is None
    expected = [(other, "is of another run, 'one'"), (own, "is not as it was written"), (own, "not valid JSON")]
    assert len(said) == len(expected)
    for text, (path, why) in zip(said, expected, strict=True):
        assert str(path) in text
        assert why in text


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


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"seconds": 1}, {"seconds": None}, True),
        ({"work": 1}, {"work": 2}, True),
        ({"workers": 1}, {"workers": 2}, True),
        ({"seed": 0}, {"seed": 1}, False),
        ({}, {"deterministic": True}, False),
        ({"deterministic": True, "seconds": 1}, {"deterministic": True, "seconds": 2}, False),
        ({"deterministic": True, "work": 1}, {"deterministic": True, "work": 2}, False),
        ({"deterministic": True, "workers": 1}, {"deterministic": True, "workers": 2}, True),
    ],
)
def test_how_long_a_run_may_take_is_no_part_of_its_hash(one: Any, other: Any, same: bool) -> None:
    assert (run_hash(study(**one)) == run_hash(study(**other))) == same


def test_a_result_answers_studies_of_no_larger_budget(tmp_path: Path) -> None:
    folder = open_run(tmp_path, study(seconds=5))
    asked = {seconds: study(seconds=seconds) for seconds in (1, 5, 6, None)}

    def answered() -> list[Any]:
        return [seconds for seconds, own in asked.items() if folder.answers(own)]

    assert answered() == []
    folder.start(asked[5])
    folder.write_json("result.json", {"status": "feasible", "stop": "time"})
    assert answered() == [], "not finished"
    folder.end(RunState.FINISHED)
    assert answered() == [1, 5]
    folder.start(asked[None])
    assert answered() == [1, 5], "a longer run is under way, or was killed"
    folder.end(RunState.INTERRUPTED, 130)
    assert answered() == [1, 5]
    folder.write_json("result.json", {"status": "feasible", "stop": "interrupted"})
    assert answered() == [], "it is that of the longer one now"
    for status in ("optimal", "infeasible"):
        folder.write_json("result.json", {"status": status})
        assert answered() == list(asked), "no budget changes it"
    folder.start(asked[None])
    folder.end(RunState.FAILED, 3)
    assert answered() == []


def test_a_run_that_starts_removes_what_a_killed_one_was_writing(tmp_path: Path) -> None:
    folder = open_run(tmp_path, study())
    folder.put("k", {"a": 1})
    halves = [folder.path / ".result.json.x.tmp", folder.path / "tasks" / ".k.json.y.tmp"]
    for half in halves:
        half.write_text("{")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        folder.start(study())
        assert not any(half.exists() for half in halves)
        state = folder.read_json("state.json")
        assert not folder.elsewhere
        folder.write_json("state.json", state | process(other.pid))
        assert folder.elsewhere
        halves[0].write_text("{")
        folder.start(study())
        assert halves[0].exists(), "somebody may be writing it"
    assert folder.get("k") == {"a": 1}


def test_lines_that_are_cut_are_left_out(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.note("begun", "a")
    with (tmp_path / "tasks" / "parts.jsonl").open("a") as file:
        file.write('{"event": "ke')
    assert [(row["event"], row["part"]) for row in folder.read_trace("tasks/parts.jsonl")] == [("begun", "a")]


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
    assert find_run(tmp_path, "one", latest=True) == newest
    assert find_run(tmp_path, newest.path.name[:-1]) == newest
    for latest, offer in ((None, ""), (False, ", or --latest")):
        with pytest.raises(InputError) as caught:
            find_run(tmp_path, "one", latest=latest)
        said = str(caught.value)
        assert said.startswith("'one' is the start of 2 runs, oldest first: one-")
        assert said.endswith(f"{newest.path.name} (1970-01-01 00:16:41); give more of the name{offer}")
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
