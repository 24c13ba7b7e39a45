"""Exports to ZigZag: files that are the same as what is verified, and both tools' cycles side by side."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml

from accmine.cost import PRESETS, Evaluation, accelerator, gemm, mac_pj, mapping
from accmine.errors import InputError
from accmine.hardware import Calibration, TensorCore
from accmine.questions.export import zigzag
from accmine.workload.work import Vector
from tests.questions.export.test_scalesim import DESIGN, of, operator
from tests.samples.export_sample import answer, baseline


def folds_and_stream(hardware: Any, spatial: Any, product: Any, lpf_limit: int, objective: str) -> Evaluation:
    """ZigZag without a search: temporal cycles from the files, and some of everything else."""
    assert (lpf_limit, objective) == (6, "latency")
    sizes = dict(zip(product["loop_dims"], product["loop_sizes"], strict=True))
    units = dict(entry[0].split(", ") for entry in spatial[0]["spatial_mapping"].values())
    cycles = 1
    for dimension, size in sizes.items():
        cycles *= ceil(size / int(units.get(dimension, "1")))
    return Evaluation(cycles, 11, 22, 33, 1.0, 2.0, 4567)


def test_files_are_those_that_are_verified(tmp_path: Path) -> None:
    run = of(tmp_path, [operator(40, 33, 20), operator(8, 8, 8, dtype="fp32", number=1)])
    made = zigzag.files(run)
    names = {f"{part}_ws_{dtype}.yaml" for part in ("accelerator", "mapping", "workload") for dtype in ("bf16", "fp32")}
    assert set(made) == names | {"run_ws_bf16.py", "run_ws_fp32.py", "README.txt"}
    given: list[tuple[Any, Any, Any]] = []

    def runner(*inputs: Any) -> Evaluation:
        given.append(inputs[:3])
        return folds_and_stream(*inputs)

    zigzag.verify(run, runner)
    for dtype, (hardware, spatial, product) in zip(("bf16", "fp32"), given, strict=True):
        assert yaml.safe_load(made[f"accelerator_ws_{dtype}.yaml"]) == hardware
        assert yaml.safe_load(made[f"mapping_ws_{dtype}.yaml"]) == spatial
        assert yaml.safe_load(made[f"workload_ws_{dtype}.yaml"]) == [product]
        # 700 GB/s at 700 MHz; the design's own HBM.
        own = accelerator(DESIGN.tensor, "ws", dtype, "tpu-like", run.technology, DESIGN.hbm_bytes, 8000)
        assert hardware == own
    assert given[0][1] == mapping(DESIGN.tensor, "ws")
    assert "python run_ws_bf16.py\n    python run_ws_fp32.py" in made["README.txt"]
    compile(made["run_ws_bf16.py"], "run_ws_bf16.py", "exec")
    assert 'workload="workload_ws_bf16.yaml"' in made["run_ws_bf16.py"]


def test_a_flexible_array_has_files_of_every_dataflow_it_uses(tmp_path: Path) -> None:
    made = zigzag.files(of(tmp_path, [operator(9, 9, 9), operator(9, 99, 9, dataflow="os", number=1)]))
    assert {name for name in made if name.startswith("mapping")} == {"mapping_ws_bf16.yaml", "mapping_os_bf16.yaml"}
    assert "stationary" not in yaml.safe_load(made["accelerator_os_bf16.yaml"])["memories"]


def test_several_designs_have_their_folders(tmp_path: Path) -> None:
    run = of(tmp_path, [operator(9, 9, 9)])
    (winner,) = run.winners
    made = zigzag.files(replace(run, winners=(replace(winner, name="design-0"), replace(winner, name="design-1"))))
    assert {name.split("/")[0] for name in made} == {"design-0", "design-1"}


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_temporal_cycles_have_to_be_equal_and_cycles_are_compared(tmp_path: Path, dataflow: str) -> None:
    random.seed(dataflow)
    own = [
        operator(*(random.randint(1, 900) for _ in range(3)), dataflow=dataflow, number=i, batch=1 + i % 2)
        for i in range(8)
    ]
    run = of(tmp_path, own)
    found = zigzag.verify(run, folds_and_stream)
    assert [c.quantity for c in found] == ["temporal cycles", "cycles on one core", "energy on one core, J"] * 8
    for given, same, cycles, energy in zip(own, found[::3], found[1::3], found[2::3], strict=True):
        g = given.work.gemm
        assert g is not None
        assert same.equal
        assert same.ok
        assert not cycles.equal
        cost = gemm(g.m, g.k, g.n, (16, 8), dataflow, "tpu-like", sram_bytes=DESIGN.tensor.sram_bytes)
        assert cycles.ours == max(cost.cycles, ceil(cost.bytes / 1000))
        assert cycles.theirs == same.theirs + 66  # type: ignore[operator]
        assert cycles.ours >= same.ours
        assert energy.theirs == pytest.approx(3e-12)
        least = 1e-12 * g.m * g.k * g.n * mac_pj("bf16", PRESETS["tpu-like"], run.technology)
        least += 2e-12 * (g.m * g.k + g.k * g.n + g.m * g.n) * run.technology.hbm_pj_per_byte
        assert least < energy.ours < 20 * least
        folds_are_long = {"ws": g.m, "os": g.k, "is": g.n}[dataflow] >= 16
        long = same.ours >= zigzag.BAND_LEAST and folds_are_long and cost.bytes <= 1000 * cost.cycles
        assert cycles.band == (zigzag.CYCLES_BAND if long else None)


def test_another_mapping_is_not_equal(tmp_path: Path) -> None:
    def other(*given: Any) -> Evaluation:
        return replace(folds_and_stream(*given), temporal_cycles=1)

    same, cycles, _ = zigzag.verify(of(tmp_path, [operator(40, 40, 40)]), other)
    assert not same.ok
    assert cycles.ok


def test_equal_products_run_once(tmp_path: Path) -> None:
    runs = []

    def runner(*given: Any) -> Evaluation:
        runs.append(given[2]["loop_sizes"])
        return folds_and_stream(*given)

    own = [operator(4, 5, 6), operator(4, 5, 6, vector=(Vector("gelu", 24),), number=1), operator(4, 5, 7, number=2)]
    assert len(zigzag.verify(of(tmp_path, own), runner)) == 9
    assert runs == [[4, 6, 5], [4, 7, 5]]


def test_the_last_index_is_counted_as_a_cycle(tmp_path: Path) -> None:
    own = [operator(512, 512, 512)]
    for timing in ("scalesim3", "scalesim-paper"):  # the same but for the index, for ws
        _, cycles, _ = zigzag.verify(of(tmp_path / timing, own, timing=timing), folds_and_stream)
        assert cycles.ours == gemm(512, 512, 512, (16, 8), "ws", "scalesim-paper", sram_bytes=96 << 10).cycles


def test_reasons_are_those_of_the_settings(tmp_path: Path) -> None:
    _, plain, _ = zigzag.verify(of(tmp_path, [operator(640, 640, 640)]), folds_and_stream)
    text = "\n".join(plain.reasons)
    assert "+11 stalls of ports, +22 crossing of the last result, +33 serial on- and off-loading" in text
    assert "not HBM-bound" in text
    for word in ("batch", "im2col", "fused", "splits", "fp32", "shared", "row by row"):
        assert word not in text
    _, short, _ = zigzag.verify(of(tmp_path / "short", [operator(15, 640, 640)]), folds_and_stream)
    assert "a fold streams 15 cycles, fewer than the 16 in which a tile is shifted in row by row" in short.reasons[2]
    slow = replace(DESIGN, hbm_bytes_per_s=70 * 10**9, shared_sram_bytes=1 << 20, port_bytes_per_s=10**11)
    rich = operator(64, 64, 64, batch=2, a_elements=9, vector=(Vector("add", 9),), dtype="fp32", cores=2, dataflow="os")
    slow = replace(slow, calibration=Calibration(array_efficiency=0.9))
    _, found, energy = zigzag.verify(of(tmp_path / "rich", [rich], slow), folds_and_stream)
    assert "1e-12 J of MACs, 2e-12 J of SRAM and HBM, 4,567 HBM bytes" in energy.reasons[1]
    text = "\n".join(found.reasons)
    for word in (
        "batch: the operator is 2 such products; ZigZag runs one",
        "convolution as im2col product",
        "fused vector part not in ZigZag: add",
        "over 2 cores",
        "3 bf16 passes",
        "the shared SRAM and its ports are in neither figure",
        "the calibration of the accelerator is in neither figure",
    ):
        assert word in text
    starved = replace(DESIGN, hbm_bytes_per_s=7 * 10**9)
    _, found, energy = zigzag.verify(of(tmp_path / "starved", [operator(64, 64, 64)], starved), folds_and_stream)
    moved = 2 * 3 * 64 * 64  # all of it fits the SRAM: every matrix crosses once
    assert f" {moved:,} HBM bytes" in energy.reasons[0]
    assert found.ours == ceil(moved / 10)
    assert f"HBM-bound at {found.ours:,}" in found.reasons[0]
    assert found.band is None


def test_a_technology_without_energies_is_refused(tmp_path: Path) -> None:
    from accmine.hardware.technology import load_technology

    run = of(tmp_path, [operator(4, 4, 4)])
    run = replace(run, plan=replace(run.plan, technology=load_technology("phaze-22nm")))
    with pytest.raises(InputError, match="defines area only"):
        zigzag.files(run)


@pytest.mark.full
def test_the_tool_runs_the_export(tmp_path: Path) -> None:
    pytest.importorskip("zigzag")
    found = zigzag.verify(answer(tmp_path, [baseline()], models=("mlp",)))
    assert all(comparison.ok for comparison in found), [c.to_json() for c in found if not c.ok]
    ratios = [comparison.ratio for comparison in found if not comparison.equal]
    assert all(ratio is not None and 0.2 < ratio < 5 for ratio in ratios)


@pytest.mark.full
@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_the_measured_band_holds(tmp_path: Path, size: int, dataflow: str) -> None:
    pytest.importorskip("zigzag")
    design = replace(DESIGN, tensor=TensorCore(size, size, size * size << 9, dataflow))
    shapes = [(512, 64, 512), (512, 512, 64), (196, 1024, 256), (500, 300, 700)]
    own = [operator(*sizes, dataflow=dataflow, number=i) for i, sizes in enumerate(shapes)]
    found = zigzag.verify(of(tmp_path, own, design))
    assert all(comparison.ok for comparison in found)
    low, high = zigzag.CYCLES_BAND
    for comparison in found[1::3]:
        assert comparison.band is not None
        assert comparison.ratio is not None
        assert low <= comparison.ratio <= high, comparison.to_json()


@pytest.mark.full
def test_the_script_of_the_export_runs(tmp_path: Path) -> None:
    pytest.importorskip("zigzag")
    own = [operator(40, 33, 20), operator(8, 8, 8, number=1)]
    for name, text in zigzag.files(of(tmp_path / "run", own)).items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "run_ws_bf16.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("op")]
    # ⌈33/16⌉ · ⌈20/8⌉ folds of 40 rows, one of 8
    assert [line[:2] for line in lines] == [["op0_layer", "360"], ["op1_layer", "8"]]
