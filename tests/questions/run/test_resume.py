"""Killed runs: at any moment, by SIGKILL or SIGTERM, nothing finished is lost and nothing gets worse."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import accmine.questions.run.run as run_module
from accmine.problems.design_search import TIE
from accmine.questions.run import flow
from accmine.questions.run.folder import RunFolder, RunState, list_runs
from accmine.questions.run.record import Outcome
from accmine.questions.run.run import run
from accmine.report import Watch
from accmine.search import candidates
from accmine.study import load_study
from tests.samples.kill_sample import Killed, Nursery, computed_again, events
from tests.samples.search_sample import SPACE, pipeline, study_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

SEARCH = {"refine": "cp-sat", "top_k": 3, "shares": 3}
CASES: dict[str, dict[str, Any]] = {
    "one device": {},
    "pipeline": pipeline(2),
    "workers": {"budget": {"seconds": 1, "workers": 2}},
}
DEEP: dict[str, Any] = {"models": ("mlp", "gpt"), **pipeline(2)}
"""Searched for longer than a test waits."""

KILLS = {"one device": 13, "pipeline": 13, "workers": 6}
TRIES = 4
"""Kills before a run that is let go to its end."""


class Heard(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def without_times(outcome: Outcome) -> dict[str, Any]:
    """The JSON form without what differs between equal runs."""
    table = outcome.to_json()
    for key in ("seconds", "trace", "folder"):
        del table[key]
    return table


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Of all runs of this file."""
    made = Nursery()
    yield made
    made.end()


def begun(nursery: Nursery, folder: Path, **keys: Any) -> Killed:
    """A small study that is not run yet."""
    settings: dict[str, Any] = {"models": ("gpt",), "space": SPACE, "limits": {"area": "baseline", "tdp": "baseline"}}
    settings |= {"budget": {"seconds": 1, "workers": 1}, "search": SEARCH} | keys
    folder.mkdir(parents=True, exist_ok=True)
    study = folder / "tiny.yaml"
    study.write_text(study_text(**settings))
    return Killed(nursery, study, folder / "runs")


@pytest.mark.full
@pytest.mark.parametrize("case", CASES)
def test_no_kill_loses_or_repeats_anything(case: str, nursery: Nursery, tmp_path: Path) -> None:
    rng, codes, kills = random.Random(f"kills of {case}"), [], 0
    lasts = _whole(begun(nursery, tmp_path / "whole", **CASES[case]))
    while kills < KILLS[case]:
        killed = begun(nursery, tmp_path / "again", **CASES[case])
        for _ in range(TRIES):  # each goes on where the one before was killed
            if killed.run(rng.uniform(0.0, 0.7) * lasts, rng.choice([signal.SIGKILL, signal.SIGTERM])) == 0:
                break
            kills += 1
        codes += killed.codes
        assert len(codes) < 10 * KILLS[case], codes
        lasts = min(lasts, _whole(killed))
        folder = killed.folder
        assert folder is not None
        assert folder.state is RunState.FINISHED
        assert not list(folder.path.rglob("*.tmp")), "a half-written file"
        assert (folder.read_json("result.json") or {})["value"] <= killed.best
        shutil.rmtree(killed.runs)
    assert set(codes) <= {0, 130, -signal.SIGKILL, -signal.SIGTERM}


def _whole(killed: Killed) -> float:
    """Seconds of a run to its end."""
    start = time.monotonic()
    assert killed.run() == 0
    return time.monotonic() - start


def test_sigterm_saves_the_best_answer_and_ends_the_workers(nursery: Nursery, tmp_path: Path) -> None:
    killed = begun(nursery, tmp_path, budget={"seconds": 6, "workers": 2}, **DEEP)

    def verified() -> bool:
        return killed.folder is not None and killed.folder.get("answer") is not None

    assert killed.run_until(verified, signal.SIGTERM) == 130
    assert killed.folder is not None
    result, state = (killed.folder.read_json(name) for name in ("result.json", "state.json"))
    assert (result["stop"], state["status"], state["exit_code"]) == ("interrupted", "interrupted", 130)
    assert result["value"] <= killed.best


class Crash(BaseException):
    """What nobody catches: as if the process had ended."""


def crash_after(puts: int, patch: pytest.MonkeyPatch) -> None:
    """End the process once so many parts are kept."""
    left, put = [puts], RunFolder.put

    def crashing(self: RunFolder, key: str, value: Any) -> None:
        put(self, key, value)
        left[0] -= 1
        if left[0] <= 0:
            raise Crash

    patch.setattr(RunFolder, "put", crashing)


def file_of(folder: Path, **keys: Any) -> Path:
    """A tiny study."""
    settings: dict[str, Any] = {"space": {"tensor_cores": [1, 2], "vector_lanes": [4, 8]}}
    settings |= {"limits": {"area": "baseline", "tdp": "baseline"}, "search": {"refine": "none", "top_k": 3}} | keys
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(study_text(**settings))
    return folder / "tiny.yaml"


TINY: dict[str, dict[str, Any]] = {
    "one device": {},
    "pipeline": {"models": ("gpt",), **pipeline(2)},
}
BUDGETS: dict[str, dict[str, Any]] = {
    "deterministic": {"work": 10, "deterministic": True},
    "by the clock": {"seconds": 20, "workers": 1},
}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("case", TINY)
def test_a_crash_behind_any_part_changes_no_answer(
    case: str, budget: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_study(file_of(tmp_path, **TINY[case], budget=BUDGETS[budget]))
    whole = run(loaded, runs_dir=tmp_path / "whole")
    (found,) = list_runs(tmp_path / "whole")
    parts = len(events(found, "kept"))
    assert parts > 4
    for puts in range(2, parts + 1, 3):
        runs = tmp_path / str(puts)
        with monkeypatch.context() as patch:
            crash_after(puts, patch)
            with pytest.raises(Crash):
                run(loaded, runs_dir=runs)
        (folder,) = list_runs(runs)
        stems = {path.stem for path in folder.path.glob("tasks/*.json")}
        kept = {key for key in stems if (folder.get(key) or {})["limits"]["seconds"] != 0}  # those are half done
        again = run(loaded, runs_dir=runs)
        assert computed_again(folder) == []
        read = {row["part"] for row in folder.read_trace("tasks/parts.jsonl") if row["event"] == "read"}
        # By the clock a better answer of before may make other schedules matter.
        assert {key for key in kept - read if budget == "deterministic" or not key.startswith("schedule")} <= {"answer"}
        if budget == "deterministic":
            assert without_times(again) == without_times(whole)
        else:
            assert again.value <= whole.value * (1 + TIE)


@pytest.mark.parametrize("case", TINY)
def test_a_longer_budget_goes_on(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of(tmp_path, **TINY[case], budget={"seconds": 0, "workers": 1})
    outcomes = [
        run(load_study(path, [f"budget.seconds={seconds}", f"budget.workers={workers}"]), runs_dir=tmp_path / "runs")
        for seconds, workers in (("0", 1), ("0.3", 2), ("20", 1), ("null", 1))
    ]
    (folder,) = list_runs(tmp_path / "runs")
    assert folder.finished
    for shorter, longer in pairwise(outcomes):
        assert longer.value <= shorter.value
        assert longer.certificate.bound <= shorter.certificate.bound * (1 + 1e-12), "of a throughput: less is stronger"
    assert events(folder, "begun").count("baseline") == len(list(folder.path.glob("tasks/baseline-*.json")))
    monkeypatch.setattr(run_module, "_planned", lambda *_: pytest.fail("computed again"))
    for seconds in ("0", "5", "null"):
        loaded = load_study(path, [f"budget.seconds={seconds}"])
        found = run(loaded, runs_dir=tmp_path / "runs")
        assert found.earlier_run
        assert replace(found, earlier_run="").to_json() == replace(outcomes[-1], earlier_run="").to_json()


def test_a_longer_search_begins_with_the_designs_of_a_shorter_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, budget={"seconds": 0, "workers": 1})
    short = run(load_study(path), runs_dir=tmp_path / "runs")
    begun_with: list[set[str]] = []
    real = candidates.mine

    def heard(*arguments: Any, first: Any = (), **named: Any) -> Any:
        begun_with.append({design.name for design in first})
        return real(*arguments, first=first, **named)

    monkeypatch.setattr(candidates, "mine", heard)
    run(load_study(path, ["budget.seconds=20"]), runs_dir=tmp_path / "runs")
    assert begun_with[0] >= {design.name for design in short.designs}


@pytest.mark.parametrize("case", TINY)
def test_the_answer_of_a_shorter_run_is_one_of_a_longer(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the longer one finds nothing but the baseline."""
    path = file_of(tmp_path, **TINY[case], limits={}, space=SPACE, budget={"seconds": 10, "workers": 1})
    monkeypatch.setattr(flow, "provable", lambda *_: False)  # an answer that is proven is only read
    short = run(load_study(path), runs_dir=tmp_path / "runs")
    assert short.value < 1 - 1e-6
    real = flow._select

    def baseline(session: Any, mode: str, groups: Any) -> Any:
        only = [[e for e in g.candidates if e.design == session.plan.baseline] for g in groups]
        return real(session, mode, [replace(g, candidates=tuple(own)) for g, own in zip(groups, only, strict=True)])

    monkeypatch.setattr(flow, "_select", baseline)
    longer = run(load_study(path, ["budget.seconds=11"]), runs_dir=tmp_path / "runs")
    assert longer.value == short.value
    assert [design.name for design in longer.designs] == [design.name for design in short.designs]
    assert longer.stages == short.stages
    (folder,) = list_runs(tmp_path / "runs")
    (folder.path / "tasks" / "answer.json").unlink()
    without = run(load_study(path, ["budget.seconds=12"]), runs_dir=tmp_path / "runs")
    assert (without.value, folder.finished) == (short.value, True), "it is still the result"
    for name in ("result.json", "tasks/answer.json"):
        (folder.path / name).unlink()
    forgotten = run(load_study(path, ["budget.seconds=13"]), runs_dir=tmp_path / "runs")
    assert forgotten.value == pytest.approx(1.0), "nothing else remembers it"


def test_a_deterministic_run_of_a_larger_budget_is_another(tmp_path: Path) -> None:
    path = file_of(tmp_path, budget={"work": 1, "deterministic": True})
    for change in ("budget.work=1", "budget.work=2", "budget.workers=2", "budget.seed=1"):
        run(load_study(path, [change]), runs_dir=tmp_path / "runs")
    assert len(list_runs(tmp_path / "runs")) == 3, "workers change nothing where one is used"


def without_digest(folder: RunFolder, key: str, change: Callable[[Any], None]) -> None:
    """Change a kept part, and sign it again."""
    value = folder.get(key)
    assert value is not None
    change(value["part"])
    folder.put(key, value)


def test_a_kept_schedule_that_fails_its_check_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of(tmp_path, budget={"seconds": 20, "workers": 1})
    monkeypatch.setattr(flow, "provable", lambda *_: False)  # an answer that is proven is only read
    first = run(load_study(path), runs_dir=tmp_path / "runs")
    (folder,) = list_runs(tmp_path / "runs")

    def all_at_once(part: Any) -> None:
        rows = part["phases"] if "phases" in part else part["schedules"][0]["phases"]
        rows[0]["start"] = [0] * len(rows[0]["start"])

    damaged = [
        f.stem for f in folder.path.glob("tasks/*.json") if f.stem.startswith(("schedule", "baseline", "answer"))
    ]
    assert len(damaged) >= 3
    for key in damaged:
        without_digest(folder, key, all_at_once)
    watch = Heard()
    again = run(load_study(path, ["budget.seconds=30"]), runs_dir=tmp_path / "runs", watch=watch)
    said = [text for text in watch.said if "not used" in text]
    assert {key for key in damaged if any(key in text for text in said)} == set(damaged)
    assert again.value == pytest.approx(first.value, rel=2 * TIE)


@pytest.mark.parametrize("how", ["cut", "changed", "foreign", "no object"])
def test_kept_parts_that_are_not_whole_or_foreign_are_named_and_not_used(how: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, budget={"work": 5, "deterministic": True})
    first = run(load_study(path), runs_dir=tmp_path / "runs")
    (folder,) = list_runs(tmp_path / "runs")
    folder.write_json("state.json", {"status": "running"})
    parts = list(folder.path.glob("tasks/*.json"))
    for part in parts:
        text = part.read_text()
        if how == "foreign":
            (RunFolder(tmp_path / "other")).put(part.stem, folder.get(part.stem) or {})
            text = (tmp_path / "other" / "tasks" / part.name).read_text()
        table = {"cut": text[:-9], "changed": text.replace('"cycles": ', '"cycles": 1'), "no object": "[1]"}
        part.write_text(table.get(how, text))
    watch = Heard()
    again = run(load_study(path), runs_dir=tmp_path / "runs", watch=watch)
    said = [text for text in watch.said if "not used" in text]
    assert len(said) >= (3 if how == "changed" else len(parts) - 1)
    assert all(str(folder.path / "tasks") in text for text in said)
    assert without_times(again) == without_times(first)
