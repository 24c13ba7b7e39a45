"""``accmine calibrate``: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine import cli
from accmine.files import load_yaml
from accmine.hardware import load_accelerator
from accmine.questions.accuracy.arrays import MATMUL_ACCELERATOR

SAMPLE = Path(__file__).parents[2] / "data" / "matmul_sample.csv"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(["calibrate", *map(str, arguments)])
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return run


def test_it_prints_constants_and_scores_of_both_parts(call: Any) -> None:
    code, out, _ = call(SAMPLE, "--accelerator", MATMUL_ACCELERATOR)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["kind", "constant", "fitted", "on", "6", "rows", "on", "the", "6", "others"]
    assert [line.split()[1] for line in lines[1:4]] == ["launch", "array_efficiency", "hbm_efficiency"]
    for words in ("nothing fitted, held-out rows", "launch alone, held-out rows", "held-out rows, parts exchanged"):
        assert words in out
    assert "nothing is written without -o FILE" in out


def test_the_file_it_writes_is_the_accelerator_with_what_it_printed(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    code, out, _ = call(SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "-o", file, "--json", "--seed", "4")
    assert code == 0
    said = json.loads(out)
    assert said["output"] == str(file)
    fitted = dict(said["part"]["written"]["kinds"])["product"]
    design = load_accelerator(file)
    calibration = design.calibration.of("product")
    assert {"launch_s": calibration.launch_s, "array_efficiency": calibration.array_efficiency} == {
        key: fitted[key] for key in ("launch_s", "array_efficiency")
    }
    assert calibration.hbm_efficiency == fitted["hbm_efficiency"]
    assert said["rows"] == said["part"]["fitted"]["rows"] + said["part"]["held_out"]["rows"] == 12
    source = load_yaml(file).data["calibration"]["source"]
    assert source == said["source"]
    mape = 100 * said["part"]["held_out"]["mape"]
    assert "6 of 12 operators of matmul_sample.csv (seed 4" in source
    assert f"{mape:.1f} % on 6 others" in source
    assert load_accelerator(MATMUL_ACCELERATOR).tensor == design.tensor


def test_constants_and_share_are_chosen(call: Any) -> None:
    _, out, _ = call(SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "--fit", "launch", "--holdout", "0.25", "--json")
    said = json.loads(out)
    (own,) = said["part"]["kinds"]
    assert [name for name, _ in own["constants"]] == ["launch"]
    assert dict(said["part"]["calibration"]["kinds"])["product"]["array_efficiency"] == 1.0
    assert said["part"]["held_out"]["rows"] == 3
    assert said["part"] == said["launch"]


def test_several_files_and_kinds_make_one_calibration(call: Any, tmp_path: Path) -> None:
    file, mine = tmp_path / "v.csv", tmp_path / "mine.yaml"
    sizes = [1 << e for e in range(14, 24)]
    rows = [f"x,fp16,gelu,,,{n},{4.8e-5 + n * 4 / 1.6e12!r},note" for n in sizes]
    rows += [f"x,fp16,layernorm,{n // 1024},1024,{n},{5e-5 + n * 4 / 1.7e12!r},note" for n in sizes]
    file.write_text("device,dtype,op,rows,cols,elements,latency_s,more\n" + "\n".join(rows) + "\n", encoding="utf-8")
    code, out, _ = call(SAMPLE, file, "--accelerator", MATMUL_ACCELERATOR, "--clock", "host", "-o", mine)
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[1:12] if line} >= {"product", "norm", "elementwise"}
    found = load_accelerator(mine).calibration
    assert [kind for kind, _ in found.kinds] == ["product", "norm", "elementwise"]
    assert all(len(constants.interval) == 2 for _, constants in found.kinds)
    code, out, _ = call(SAMPLE, file, "--accelerator", MATMUL_ACCELERATOR, "--kind", "norm", "--clock", "host")
    assert code == 0
    assert "product" not in out.splitlines()[1]


def test_what_rows_do_not_determine_is_said(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    head = "device,dtype,M,K,N,latency_s\n"
    sizes = (2048, 3072, 4096, 5120, 6144, 7168, 8192, 10240)
    file.write_text(
        head + "".join(f"x,fp16,{s},{s},{s},{1e-5 + 2.2 * s**3 / 312e12!r}\n" for s in sizes), encoding="utf-8"
    )
    code, out, _ = call(file, "--accelerator", MATMUL_ACCELERATOR)
    assert code == 0
    assert out.splitlines()[3].split() == ["product", "hbm_efficiency", "not", "determined", "not", "determined"]
    said = json.loads(call(file, "--accelerator", MATMUL_ACCELERATOR, "--json")[1])
    assert said["part"]["kinds"][0]["open"] == ["hbm_efficiency"]
    assert said["source"].endswith("not determined by these rows: product hbm_efficiency")


def test_what_is_refused(call: Any, tmp_path: Path) -> None:
    one = tmp_path / "one.csv"
    one.write_text("dtype,M,K,N,latency_s\nfp16,64,64,64,1e-5\n", encoding="utf-8")
    wanted = (
        ((one, "--accelerator", MATMUL_ACCELERATOR), "too few measured operators of kind product: 1 "),
        ((tmp_path / "none.csv", "--accelerator", MATMUL_ACCELERATOR), "no such file"),
        ((SAMPLE, "--accelerator", "wham"), "this file is a template"),
        ((SAMPLE, "--accelerator", "a100"), "unknown accelerator 'a100'"),
        ((SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "--fit", "lunch"), "allowed: launch, array_efficiency"),
        ((SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "--holdout", "0"), "share of the rows"),
        (
            (SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "--kind", "softmax"),
            "no row of kind softmax; measured: product",
        ),
        ((SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "--kind", "gemm"), "unknown kind 'gemm'"),
        ((SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "--clock", "wall"), "unknown clock 'wall'"),
        ((SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "-o", tmp_path), "must be a file in an existing folder"),
        ((SAMPLE, "--accelerator", MATMUL_ACCELERATOR, "-o", tmp_path / "x" / "y.yaml"), "existing folder"),
    )
    for arguments, message in wanted:
        code, out, err = call(*arguments)
        assert (code, out) == (2, ""), arguments
        assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv"]
