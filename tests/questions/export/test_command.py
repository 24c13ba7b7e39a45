"""``accmine export``: files, JSON, what verification prints, and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine import cli
from accmine.questions.export import calculon, scalesim, zigzag
from accmine.questions.export.comparison import Comparison
from tests.samples.export_sample import baseline, listing, make_run, manifest, without
from tests.samples.gap_sample import write
from tests.samples.search_sample import pipeline


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(["export", *map(str, arguments), "--runs", str(tmp_path / "runs")])
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs" / "tiny-123", models=("gpt",)).path


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("scalesim", {"scale_ws.cfg", "topology_ws.csv", "layout_ws.csv"}),
        ("zigzag", {"accelerator_ws_bf16.yaml", "mapping_ws_bf16.yaml", "workload_ws_bf16.yaml", "run_ws_bf16.py"}),
        ("calculon", {"system.json", "application_gpt.json", "execution_gpt.json"}),
    ],
)
def test_every_tool_gets_its_files(accmine: Any, run: Path, tmp_path: Path, tool: str, names: set[str]) -> None:
    code, out, _ = accmine("tiny", "--to", tool, "-o", tmp_path / "out")
    assert code == 0
    assert set(listing(tmp_path / "out")) == names | {"README.txt", "export.json"}
    assert manifest(tmp_path / "out") == sorted(names | {"README.txt"})
    assert f"{len(names) + 2} files in" in out
    assert baseline().name in out
    assert "op0_" in out
    # The run may also be named by its folder; the same files come out.
    code, _, _ = accmine(run, "--to", tool, "-o", tmp_path / "again")
    assert code == 0
    assert listing(tmp_path / "again") == listing(tmp_path / "out")


def test_json_names_the_files_and_the_operators(accmine: Any, run: Path, tmp_path: Path) -> None:
    code, out, _ = accmine("tiny", "--to", "scalesim", "-o", tmp_path / "out", "--json")
    table = json.loads(out)
    assert code == 0
    assert sorted(map(Path, table["files"])) == sorted(p for p in (tmp_path / "out").iterdir())
    (design,) = table["designs"]
    assert design["design"] == baseline().name
    assert len(design["operators"]) == 10
    shares = [operator["share"] for operator in design["operators"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(design["share_of_operator_time"])
    assert table["verified"] is None


def test_a_used_folder_needs_again(accmine: Any, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert accmine("tiny", "--to", "scalesim", "-o", out)[0] == 0
    code, _, said = accmine("tiny", "--to", "zigzag", "-o", out)
    assert code == 2
    assert "--again" in said
    assert "scale_ws.cfg" in listing(out)
    assert accmine("tiny", "--to", "zigzag", "-o", out, "--again")[0] == 0
    assert "scale_ws.cfg" not in listing(out)


def comparison(ours: float, theirs: float | None, *, equal: bool) -> Comparison:
    return Comparison("design", "layer.0: 4×4×4 ws", "Total Cycles", ours, theirs, equal, ("a reason of some length",))


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ((comparison(7, 7, equal=True),), 0, ["accmine 7, tool 7: equal", "1 of 1 figures", "- a reason"]),
        ((comparison(7, 9, equal=True),), 3, ["+2 (1.286 of ours)  NOT EQUAL", "0 of 1 figures"]),
        (
            (
                replace(comparison(9, 8, equal=False), band=(0.8, 1.1)),
                replace(comparison(9, 6, equal=False), band=(0.8, 1)),
            ),
            0,
            ["(0.889 of ours), within the measured 0.8 to 1.1", "(0.667 of ours), outside the measured 0.8 to 1"],
        ),
        (
            (comparison(8, 6, equal=False), comparison(0.25, None, equal=False)),
            0,
            [
                "-2 (0.750 of ours)",
                "accmine 0.25, tool –: no figure",
                "scalesim / accmine, Total Cycles: 0.750 to 0.750",
            ],
        ),
    ],
)
def test_verification_prints_both_figures(
    accmine: Any,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: tuple[Comparison, ...],
    code: int,
    words: list[str],
) -> None:
    monkeypatch.setattr(scalesim, "verify", lambda answer: found)
    said, out, _ = accmine("tiny", "--to", "scalesim", "-o", tmp_path / "out", "--verify")
    assert said == code
    for word in words:
        assert word in out
    assert "scale_ws.cfg" in listing(tmp_path / "out")  # also when it fails: to look into
    said, out, _ = accmine("tiny", "--to", "scalesim", "-o", tmp_path / "json", "--verify", "--json")
    assert said == code
    assert json.loads(out)["verified"] == [own.to_json() for own in found]


@pytest.mark.parametrize("tool", [scalesim, zigzag, calculon])
def test_a_missing_tool_is_an_error_and_nothing_is_written(
    accmine: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Any
) -> None:
    name = tool.__name__.rpartition(".")[2]
    without(monkeypatch, name)
    code, _, err = accmine("tiny", "--to", name, "-o", tmp_path / "out", "--verify")
    assert code == 2
    assert "needs" in err
    assert "is missing" in err
    assert not (tmp_path / "out").exists()


def test_every_stage_has_its_folder(accmine: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "tiny-1", [baseline(), baseline()], models=("gpt",), **pipeline(2))
    assert accmine("tiny", "--to", "scalesim", "-o", tmp_path / "out")[0] == 0
    folders = {name.split("/")[0] for name in listing(tmp_path / "out")}
    assert folders == {"design-0", "design-1", "export.json"}
    assert accmine("tiny", "--to", "scalesim", "-o", tmp_path / "one", "--stage", "1")[0] == 0
    assert "scale_ws.cfg" in listing(tmp_path / "one")
    code, _, err = accmine("tiny", "--to", "calculon", "-o", tmp_path / "all")
    assert code == 2
    assert "give --stage with one of 0, 1" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "--to", "zigzag", "-o", "x"], "no run 'nothing'"),
        (["tiny", "--to", "timeloop", "-o", "x"], "timeloop"),
        (["tiny", "--to", "zigzag"], "output"),
        (["tiny", "--to", "zigzag", "-o", "x", "--stage", "3"], "no design 3"),
        (["tiny", "--to", "zigzag", "-o", "x", "--stage", "-1"], "stage"),
    ],
)
def test_bad_arguments_are_refused(accmine: Any, run: Path, arguments: list[str], words: str) -> None:
    code, _, err = accmine(*arguments)
    assert code == 2
    assert words in err.lower()


def test_problems_of_a_study(accmine: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(command: str, *arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main([command, *map(str, arguments)])
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    study, out = write(tmp_path), tmp_path / "out"
    code, said, _ = call("export", study, "--problem", out)
    assert code == 0
    rows = json.loads((out / "problems.json").read_text())["problems"]
    assert [row["phase"] for row in rows] == ["step", "update"]
    assert set(listing(out)) == {*(row["file"] for row in rows), "problems.json", "export.json"}
    assert f"2 problems in {out}" in " ".join(said.split())
    assert call("solve", out / rows[0]["file"], "--solver", "critical-path", "--json")[0] == 0
    assert call("export", study, "--problem", out)[0] == 2  # a used folder
    assert call("export", study, "--problem", out, "--set", "workloads.0.batch=64", "--again")[0] == 0
    code, said, _ = call("export", "--suite", "wham", "--models", "vgg-16", "--problem", tmp_path / "suite", "--json")
    assert code == 0
    assert [row["file"] for row in json.loads(said)["problems"]] == [
        "vgg-16.step.tpuv2-like.json",
        "vgg-16.update.tpuv2-like.json",
    ]
    for arguments, words in (
        (("--problem", "x"), "needs one study, or --suite NAME"),
        ((study, "--suite", "wham", "--problem", "x"), "needs one study, or --suite NAME"),
        ((study, "--models", "vgg-16", "--problem", "x"), "has no effect without --suite"),
        ((study, "--problem", "x", "--to", "zigzag"), "--to: has no effect"),
        ((study, "--problem", "x", "--runs", "runs"), "--runs: has no effect"),
        (("run", "--to", "zigzag", "--output", "x", "--design", "tpuv2-like"), "--design: has no effect"),
    ):
        code, _, said = call("export", *arguments)
        assert code == 2
        assert words in " ".join(said.split())
