"""Sweeps of tiny studies: the law of limits, what is shared, what is skipped and what fails."""

from __future__ import annotations

import itertools
import json
from math import inf
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.questions.run.folder import RunFolder, find_run
from accmine.questions.run.reading import outcome_of
from accmine.questions.run.record import Outcome
from accmine.questions.sweep import measure
from accmine.questions.sweep.measure import run_sweep
from accmine.questions.sweep.record import PointRecord, SweepResult
from accmine.questions.sweep.shards import Shard
from accmine.report import Watch
from accmine.study import load_sweep
from tests.samples import sweep_sample
from tests.samples.sweep_sample import BUDGET, LIMITS, REPEATS, Inline, loaded

ONE = {"grid": {"limits.area": ["413 mm^2", "450 mm^2"]}}


class _Heard(Watch):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def swept(folder: Path, sweep: dict[str, Any], **keys: Any) -> SweepResult:
    return run_sweep(loaded(folder, sweep, **keys), runs_dir=folder / "runs", executor=Inline())


def assert_lawful(points: tuple[PointRecord, ...]) -> int:
    """Looser limits are no worse, in answers and bounds; returns the pairs that were compared."""
    pairs = 0
    for tight, loose in itertools.permutations(points, 2):
        if tight.like != loose.like or not all(loose.limits.get(k, inf) >= v for k, v in tight.limits.items()):
            continue
        if any(key not in tight.limits for key in loose.limits):
            continue
        pairs += 1
        assert loose.best <= tight.best * (1 - 1e-9 if tight.best < 0 else 1 + 1e-9), (tight.number, loose.number)
        assert loose.bound <= tight.bound + 1e-9 * abs(tight.bound), (tight.number, loose.number)
        if loose.status == "infeasible":
            assert tight.status == "infeasible"
    return pairs


def assert_own(point: PointRecord) -> None:
    """Numbers of a row are those of its own run, whose designs meet the limits of the point."""
    known = RunFolder(Path(str(point.row["folder"]))).read_json("result.json")
    assert known is not None
    outcome = outcome_of(known)
    assert isinstance(outcome, Outcome)
    certificate = outcome.certificate
    assert (certificate.objective, certificate.bound) == (point.row["best"], point.row["bound"])
    assert outcome.area_mm2 <= point.limits["limits.area"] * (1 + 1e-9)
    assert outcome.tdp_w <= point.limits["limits.tdp"] * (1 + 1e-9)


@pytest.mark.parametrize(
    ("budget", "objective", "most"),
    [
        (BUDGET, "throughput", 3),
        (REPEATS, "throughput-per-tdp", 2),
        pytest.param(BUDGET, "throughput-per-tdp", 3, marks=pytest.mark.full),
        pytest.param(REPEATS, "throughput", 3, marks=pytest.mark.full),
    ],
    ids=["clock", "deterministic", "clock-per-tdp", "deterministic-throughput"],
)
def test_looser_limits_are_never_worse(tmp_path: Path, budget: dict[str, Any], objective: str, most: int) -> None:
    grid = {key: values[-most:] for key, values in LIMITS.items()}
    result = swept(tmp_path, {"grid": grid}, budget=budget, objective=objective, floor=None)
    assert result.complete
    assert assert_lawful(result.points) == sum(range(1, most + 1)) ** 2 - most**2
    assert len({point.best for point in result.points}) > 1, "the limits bind"
    for point in result.points:
        assert_own(point)


def test_the_law_holds_within_each_objective_and_model_alone(tmp_path: Path) -> None:
    grid = {
        "objective": ["throughput", "bottleneck"],
        "limits.area": ["413 mm^2", "450 mm^2"],
        "workloads[0].batch": [8, 16],
    }
    result = swept(tmp_path, {"grid": grid})
    assert len(result.points) == 8
    assert len({point.like for point in result.points}) == 4
    assert assert_lawful(result.points) == 4


def test_a_deterministic_sweep_repeats(tmp_path: Path) -> None:
    tables = []
    grid = {"limits.area": ["413 mm^2", "450 mm^2"]}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        rows = swept(tmp_path / name, {"grid": grid}, budget=REPEATS).rows
        tables.append([{k: v for k, v in row.items() if k not in ("folder", "seconds")} for row in rows])
    assert tables[0] == tables[1]


def test_finished_points_are_not_run_again(tmp_path: Path) -> None:
    first = swept(tmp_path, ONE)
    pool = Inline()
    sweep = load_sweep(tmp_path / "tiny.yaml")
    again = run_sweep(sweep, runs_dir=tmp_path / "runs", executor=pool)
    assert pool.jobs == []
    assert again.rows == first.rows
    one_more = loaded(tmp_path, {"grid": {"limits.area": ["413 mm^2", "430 mm^2", "450 mm^2"]}})
    extended = run_sweep(one_more, runs_dir=tmp_path / "runs", executor=pool)
    assert [point.row["best"] for point in extended.points][::2] == [point.row["best"] for point in first.points]
    assert [job["number"] for job in pool.jobs if not job.get("reopen")] == [2, 0, 1], "numbers of another sweep"
    folders = [str(point.row["folder"]) for point in (*first.points, *extended.points)]
    assert (folders[0], folders[1]) == (folders[2], folders[4]), "runs of the same study are the same"


def test_a_damaged_file_of_a_point_is_said_and_made_again(tmp_path: Path) -> None:
    first = swept(tmp_path, ONE)
    file = first.folder / "points" / "1.json"
    kept = json.loads(file.read_text())
    rows = [{**kept["row"], "best": "many"}, {k: v for k, v in kept["row"].items() if k != "stop"}, {}]
    rows.append({**kept["row"], "status": None})
    texts = [json.dumps({**kept, "row": row}) for row in rows]
    for text in ("{", '{"number": 1}', json.dumps({**kept, "number": 0}), "\udcff", *texts):
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        heard = _Heard()
        sweep = load_sweep(tmp_path / "tiny.yaml")
        again = run_sweep(sweep, runs_dir=tmp_path / "runs", executor=Inline(), watch=heard)
        assert any("not used" in line and "1.json" in line for line in heard.lines), text
        assert [row["best"] for row in again.rows] == [row["best"] for row in first.rows]


def test_what_killed_processes_were_writing_goes_when_a_sweep_works_alone(tmp_path: Path) -> None:
    first = swept(tmp_path, ONE)
    own, sweep = tmp_path / "runs" / "table.csv.tmp", load_sweep(tmp_path / "tiny.yaml")
    left = [first.folder / name for name in (".table.csv.a.tmp", "points/.0.json.b.tmp", "common/tasks/.c.json.d.tmp")]
    for path in (own, *left):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    run_sweep(sweep, runs_dir=tmp_path / "runs", executor=Inline(), shard=Shard(1, 2))
    assert all(path.exists() for path in left), "another shard may be writing them"
    run_sweep(sweep, runs_dir=tmp_path / "runs", executor=Inline())
    assert not any(path.exists() for path in left)
    assert own.exists()


def test_infeasible_and_wrong_points_are_rows_with_their_reason(tmp_path: Path) -> None:
    variants = {
        "small": {"limits.area": "1 mm^2"},
        "wrong": {"workloads.0.microbatch": 3, "limits.area": "450 mm^2"},
        "right": {"limits.area": "450 mm^2"},
    }
    grid = {"workloads.0.batch": [8, 9]}
    result = swept(tmp_path, {"variants": variants, "grid": grid}, workload={"microbatch": 1, "batch": 8})
    status = {(row["variant"], row["workloads.0.batch"]): row["status"] for row in result.rows}
    assert status["small", 8] == status["small", 9] == "infeasible"
    assert status["wrong", 8] == "failed"
    assert status["wrong", 9] in ("feasible", "optimal"), "as fast as the machine is"
    by_name = {(p.values["variant"], p.values["workloads.0.batch"]): p for p in result.points}
    message = str(by_name["wrong", 8].row["message"])
    assert "microbatch" in message
    assert "tiny.yaml:" in message, "the place of the value in the document"
    assert "limits.area" in str(by_name["small", 8].row["message"])
    assert find_run(tmp_path / "runs", str(by_name["small", 8].row["folder"])).finished
    pool = Inline()
    run_sweep(load_sweep(tmp_path / "tiny.yaml"), runs_dir=tmp_path / "runs", executor=pool, retry=True)
    assert pool.jobs == [], "a study that is wrong is seen without a run"


def test_a_point_that_ends_its_process_is_a_row_and_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = loaded(tmp_path, {"grid": {"limits.area": ["413 mm^2", "430 mm^2", "450 mm^2"]}})
    monkeypatch.syspath_prepend(str(Path(sweep_sample.__file__).parents[2]))
    monkeypatch.setattr(measure, "measure_point", sweep_sample.crashing)
    result = run_sweep(sweep, runs_dir=tmp_path / "runs")
    assert [point.status for point in result.points][1] == "failed"
    assert "worker" in str(result.points[1].row["message"])
    assert all(point.answered for point in (result.points[0], result.points[2]))
    monkeypatch.undo()
    skipped = run_sweep(sweep, runs_dir=tmp_path / "runs", executor=Inline())
    assert skipped.points[1].status == "failed"
    retried = run_sweep(sweep, runs_dir=tmp_path / "runs", executor=Inline(), retry=True)
    assert all(point.answered for point in retried.points)
    assert assert_lawful(retried.points) == 3


def test_jobs_never_take_more_processes_than_the_study_has(tmp_path: Path) -> None:
    sweep = loaded(tmp_path, ONE, budget={"seconds": 1, "workers": 3})
    with pytest.raises(InputError, match=r"budget\.workers is 3"):
        run_sweep(sweep, runs_dir=tmp_path / "runs", jobs=4)
    assert not (tmp_path / "runs").exists()
    assert measure.workers_of(sweep) == 3


def test_points_share_what_was_found(tmp_path: Path) -> None:
    """The loosest comes first, and each other one is given the best answer that fits, and a share of the seconds."""
    pool = Inline()
    result = run_sweep(loaded(tmp_path, {"grid": LIMITS}), runs_dir=tmp_path / "runs", executor=pool)
    first, *others = pool.jobs[:9]
    assert first["number"] == 8
    assert (first["answers"], first["share"]) == ([], 1.0)
    assert all(job["share"] <= 0.2 for job in others)
    assert sum(bool(job["answers"]) for job in others) >= 7
    assert json.loads(json.dumps(pool.jobs)) == pool.jobs, "points are plain JSON values"
    assert len({point.reference_s for point in result.points if point.reference_s}) == 1
    begun = [
        line["part"]
        for point in result.points
        for line in RunFolder(Path(str(point.row["folder"]))).read_trace("tasks/parts.jsonl")
        if line["event"] == "begun" and line["part"].startswith("baseline")
    ]
    assert len(begun) == 1, "the baseline is scheduled once"


def test_what_shards_found_is_handed_on_by_the_merge(tmp_path: Path) -> None:
    sweep = loaded(tmp_path, {"grid": LIMITS})
    for number in (1, 2):
        run_sweep(sweep, runs_dir=tmp_path / "runs", executor=Inline(), shard=Shard(number, 2))
    pool = Inline()
    whole = run_sweep(sweep, runs_dir=tmp_path / "runs", executor=pool, merge=True)
    assert all(job.get("reopen") for job in pool.jobs), "only answers are handed on"
    assert assert_lawful(whole.points) == 27
