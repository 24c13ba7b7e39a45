"""Calibration: constants are found again, no row is scored with constants that saw it, files say what was done."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import combine, durations, memory_of, splits_for, tensor_costs, vector_costs
from accmine.cost.arrays.waves import waves_of
from accmine.cost.corrections import corrections
from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.hardware import (
    Calibration,
    Constants,
    Design,
    TensorCore,
    Tiles,
    VectorCore,
    load_accelerator,
    read_accelerator,
)
from accmine.questions.accuracy.arrays import MATMUL_ACCELERATOR
from accmine.questions.accuracy.calibrate import Calibrated, calibrate, calibrated_text, cross_fit, parts_of
from accmine.questions.accuracy.fit import Predictor, constants_for
from accmine.questions.accuracy.samples import Sample, read_samples
from accmine.questions.accuracy.score import drawn, score
from accmine.workload.graph import Gemm

SAMPLE = Path(__file__).parents[2] / "data" / "matmul_sample.csv"
CHIP = Design(
    8, TensorCore(32, 32, 1 << 19, "os"), 8, VectorCore(64, 2, 1 << 17), 16 << 30, 400 * 10**9, 10**9,
    shared_sram_bytes=8 << 20, port_bytes_per_s=100 * 10**9,
)  # fmt: skip
SHAPES = (
    *((64, 64, 64), (128, 256, 128), (64, 4096, 4096), (16, 8192, 2048), (512, 512, 512), (1024, 1024, 1024)),
    *((2048, 512, 2048), (2048, 2048, 2048), (8, 4096, 4096), (4096, 4096, 512), (300, 700, 900), (32, 32, 4096)),
)


def made(calibration: Calibration, design: Design = CHIP, noise: float = 0.0, seed: int = 0) -> tuple[Sample, ...]:
    """Products whose measured times are those of the model with a calibration."""
    blank = [Sample.product(m, k, n, 1, "bf16", 1.0, "") for m, k, n in SHAPES]
    chance = random.Random(seed)
    seconds = Predictor(blank, design).seconds(calibration)
    return tuple(
        replace(sample, seconds=float(time) * (1 + chance.uniform(-noise, noise)))
        for sample, time in zip(blank, seconds, strict=True)
    )


ALL = np.arange(len(SHAPES))
NAMES = ("launch", "array_efficiency", "hbm_efficiency")


def fitted(samples: tuple[Sample, ...], names: tuple[str, ...] = NAMES) -> tuple[Constants, tuple[str, ...]]:
    """Constants of products fitted on samples, and those left open."""
    found, undetermined = Predictor(samples, CHIP).fit(Calibration(), "product", names)
    return found.of("product"), undetermined


@pytest.mark.parametrize(
    "known",
    [
        Calibration(launch_s=2e-5, array_efficiency=0.9, hbm_efficiency=0.8),
        Calibration(launch_s=0.0, array_efficiency=0.5, hbm_efficiency=0.95),
        Calibration(launch_s=3e-6),
    ],
)
def test_constants_are_found_again(known: Calibration) -> None:
    found, undetermined = fitted(made(known))
    assert undetermined == ()
    assert found.launch_s == pytest.approx(known.launch_s, rel=0.03, abs=1e-7)
    assert found.array_efficiency == pytest.approx(known.array_efficiency, abs=0.01)
    assert found.hbm_efficiency == pytest.approx(known.hbm_efficiency, abs=0.015)


def test_constants_of_tiles_are_found_again() -> None:
    slow = replace(CHIP, hbm_bytes_per_s=60 * 10**9)  # so that some of the products wait for it
    tiles = Tiles(((128, 256), (128, 128), (64, 64)), fill=150.0, edge=20.0, split_launch_s=3e-6, split_traffic=0.3)
    own = Constants(launch_s=3e-6, array_efficiency=0.85, hbm_efficiency=0.7, overlap=4.0)
    known = Calibration(kinds=(("product", own),), tiles=tiles)
    start = Calibration(kinds=(("product", Constants(overlap=4.0)),), tiles=Tiles(tiles.shapes))
    chance = random.Random(3)
    sizes = [[1 << chance.randint(5, 12) for _ in range(3)] for _ in range(60)]
    sizes += [[chance.choice((1, 8, 16)), 1 << chance.randint(10, 13), 1 << chance.randint(10, 13)] for _ in range(30)]
    blank = [Sample.product(m, k, n, 1, "bf16", 1.0, "") for m, k, n in sizes]
    seconds = Predictor(blank, slow).seconds(known).tolist()
    samples = [replace(sample, seconds=time) for sample, time in zip(blank, seconds, strict=True)]
    names = constants_for("product", replace(slow, calibration=start))
    assert names == (*NAMES, "fill", "edge", "split_launch", "split_traffic")
    found, _ = Predictor(samples, slow).fit(start, "product", names)
    assert found.of("product").launch_s == pytest.approx(3e-6, rel=0.05)
    assert found.of("product").array_efficiency == pytest.approx(0.85, abs=0.02)
    assert found.of("product").hbm_efficiency == pytest.approx(0.7, abs=0.02)
    assert found.tiles.fill == pytest.approx(150, rel=0.15)
    assert found.tiles.edge == pytest.approx(20, rel=0.2)
    assert score(Predictor(samples, slow).seconds(found), seconds).mape < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_is_no_worse_than_its_neighbours_and_than_no_fit(seed: int) -> None:
    chance = random.Random(seed)
    samples = made(Calibration(1e-5, 0.8, 1.0, 0.7), noise=0.1, seed=seed)
    predictor = Predictor(samples, CHIP)

    def loss(calibration: Calibration) -> float:
        error = predictor.seconds(calibration) / predictor.measured_s - 1
        return float((0.02 * (np.sqrt(1 + (error / 0.1) ** 2) - 1)).sum())

    found, _ = predictor.fit(Calibration(), "product", NAMES)
    own = found.of("product")
    assert loss(found) < loss(Calibration())
    for _ in range(30):
        near = replace(
            own,
            launch_s=own.launch_s * chance.uniform(0.8, 1.25),
            array_efficiency=min(1.0, own.array_efficiency * chance.uniform(0.9, 1.1)),
            hbm_efficiency=min(1.0, own.hbm_efficiency * chance.uniform(0.9, 1.1)),
        )
        assert loss(found) < loss(Calibration(kinds=(("product", near),))) + 4e-3  # the pull to the peak, three digits
    launch, _ = predictor.fit(Calibration(), "product", ("launch",))
    assert (launch.of("product").array_efficiency, launch.of("product").hbm_efficiency) == (1.0, 1.0)
    assert loss(found) <= loss(launch) <= loss(Calibration())


def test_rows_that_say_nothing_of_a_constant_leave_it_open() -> None:
    samples = made(Calibration(1e-5, 0.8, 1.0, 0.7))
    bound = tuple(s for s, size in zip(samples, SHAPES, strict=True) if min(size) >= 512)  # by arithmetic
    found, undetermined = fitted(bound)
    assert undetermined == ("hbm_efficiency",)
    assert found.hbm_efficiency == 1.0
    assert found.array_efficiency == pytest.approx(0.8, abs=0.01)


def test_the_predictor_is_the_cost_library_with_that_calibration() -> None:
    tiles = Tiles(((128, 128), (64, 64)), fill=100.0, edge=10.0, split_launch_s=1e-6, split_traffic=0.1)
    own = Constants(2e-6, 0.9, 1.0, 0.8, overlap=4.0, hbm_ramp_bytes=1e5, sustained=0.9, host_launch_s=4e-6)
    for calibration in (
        Calibration(),
        Calibration(1e-5, 0.8, 1.0, 0.7),
        Calibration(kinds=(("product", own),), tiles=tiles),
    ):
        samples, machine = made(calibration), replace(CHIP, calibration=calibration)
        works, memory = [sample.work for sample in samples], memory_of(machine)
        splits = splits_for((CHIP.tensor_cores, CHIP.vector_cores), "even")
        tensor = tensor_costs(works, [machine.tensor], splits, memory=memory, waves=waves_of(machine))
        vector = vector_costs(works, [machine.vector], splits, memory=memory)
        costs = combine(tensor, vector, corrections(works, machine))
        cycles = durations(costs, machine.usable_hbm_bytes_per_cycle).min(axis=1)
        assert Predictor(samples, CHIP).seconds(calibration) == pytest.approx(cycles / machine.frequency_hz)


def test_held_out_rows_have_no_part_in_the_fit() -> None:
    samples = made(Calibration(1e-5, 0.8, 1.0, 0.7), noise=0.05)
    parts = drawn([s.seconds for s in samples], 0.5, 3)
    before = calibrate(samples, CHIP, parts)
    held = set(parts[1].tolist())
    changed = tuple(replace(s, seconds=3 * s.seconds) if i in held else s for i, s in enumerate(samples))
    after = calibrate(changed, CHIP, parts)
    assert after.part.calibration == before.part.calibration
    assert after.part.fitted == before.part.fitted
    assert after.part.held_out != before.part.held_out
    assert after.swapped is not None
    assert before.swapped is not None
    assert after.swapped.calibration != before.swapped.calibration
    assert before.swapped.fitted.rows == before.part.held_out.rows == len(held)


def test_a_calibration_helps_on_rows_it_has_not_seen() -> None:
    samples = made(Calibration(1e-5, 0.8, 1.0, 0.7), noise=0.03)
    found = calibrate(samples, CHIP, drawn([s.seconds for s in samples], 0.5, 0))
    assert found.part.held_out.mape < 0.06
    assert found.part.held_out.mape < found.launch.held_out.mape < found.uncorrected.mape
    assert found.uncorrected.bias < 0


def test_cross_fitted_times_come_from_the_other_part() -> None:
    samples = made(Calibration(1e-5, 0.8, 1.0, 0.7), noise=0.05)
    parts = drawn([s.seconds for s in samples], 0.5, 0)
    found, predictor = calibrate(samples, CHIP, parts), Predictor(samples, CHIP)
    fitted_s, launch, plain = cross_fit(samples, CHIP, parts)
    assert found.swapped is not None
    for rows, part in ((parts[0], found.swapped), (parts[1], found.part)):
        assert np.array_equal(fitted_s[rows], predictor.take(rows).seconds(part.calibration))
    own = predictor.take(parts[1])
    assert np.array_equal(launch[parts[1]], own.seconds(found.launch.calibration))
    assert np.array_equal(plain, predictor.seconds(Calibration()))
    assert bool((plain <= fitted_s).all())


def test_too_few_rows_are_refused() -> None:
    samples = made(Calibration())
    one, two = (np.array([0]), np.array([], dtype=np.int64)), (np.arange(2), np.arange(2, 12))
    with pytest.raises(InputError, match=r"too few measured operators of kind product: 1 to fit on and 0 to score on"):
        calibrate(samples[:1], CHIP, one)
    with pytest.raises(InputError, match="needs at least 3"):
        calibrate(samples, CHIP, two)
    assert calibrate(samples, CHIP, two, ("launch",)).part.fitted.rows == 2
    with pytest.raises(InputError, match="must not be scored on"):
        calibrate(samples, CHIP, (np.arange(6), np.arange(5, 12)))
    for constants in (("lunch",), ()):
        with pytest.raises(InputError, match="allowed: launch, array_efficiency, vector_efficiency, hbm_efficiency"):
            calibrate(samples, CHIP, (np.arange(6), np.arange(6, 12)), constants)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-6, 1e3), min_size=0, max_size=40), st.floats(0.05, 0.95), st.integers(0, 99))
def test_a_draw_divides_the_rows_and_spreads_them_over_the_times(
    seconds: list[float], holdout: float, seed: int
) -> None:
    fit, held = drawn(seconds, holdout, seed)
    assert sorted([*fit.tolist(), *held.tolist()]) == list(range(len(seconds)))
    assert len(held) == round(len(seconds) * holdout)
    again = drawn(seconds, holdout, seed)
    assert [part.tolist() for part in again] == [fit.tolist(), held.tolist()]
    fewer = min(len(fit), len(held))
    if fewer:  # one row of every group of the ordered rows
        part = fit if len(fit) == fewer and len(held) != fewer else held
        groups = np.array_split(np.argsort(seconds, kind="stable"), fewer)
        assert all(len(set(group.tolist()) & set(part.tolist())) == 1 for group in groups)


def test_draws_differ_by_seed_and_need_a_share() -> None:
    assert len({tuple(drawn(range(1, 21), 0.5, seed)[0].tolist()) for seed in range(10)}) > 5
    for holdout in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="share of the rows"):
            drawn([1.0, 2.0], holdout, 0)


def test_scores() -> None:
    found = score([1.1, 1.8, 3.0], [1.0, 2.0, 3.0])
    assert found.rows == 3
    assert (found.mape, found.bias, found.worst) == pytest.approx((0.2 / 3, 0.0, 0.1))
    assert found.rank == 1.0
    assert score([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]).rank == -1.0
    assert score([1.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]).rank == pytest.approx(0.9486832981)
    assert score([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).rank is None
    assert score([1.0, 2.0], [1.0, 2.0]).rank is None
    for model, measured in (([], []), ([1.0], [1.0, 2.0]), ([1.0], [0.0])):
        with pytest.raises(InputError):
            score(model, measured)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=2, max_size=20))
def test_ranks_do_not_depend_on_scale_and_scores_hold_their_order(pairs: list[tuple[float, float]]) -> None:
    model, measured = [p[0] for p in pairs], [p[1] for p in pairs]
    found = score(model, measured)
    assert found.rank == score([m**3 for m in model], [7 * m for m in measured]).rank
    assert abs(found.bias) <= found.mape + 1e-12 <= found.worst + 2e-12
    if found.rank is not None:
        assert -1 <= found.rank <= 1


def test_a_file_of_whole_chip_products_is_read() -> None:
    samples = read_samples(SAMPLE, load_accelerator(MATMUL_ACCELERATOR))
    assert len(samples) == 12
    assert samples[0].work.gemm == Gemm(64, 8192, 8192, 1, 64 * 8192, 8192 * 8192, 64 * 8192)
    assert samples[0].work.dtype == "fp16"
    assert samples[0].name == "64x8192x8192"
    assert samples[0].where == f"{SAMPLE}:3"
    assert samples[0].work.bytes_in == 2 * (64 * 8192 + 8192 * 8192)


HEAD = "device,dtype,M,K,N,latency_s\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device,dtype,M,K,latency_s\nx,fp16,1,1,1\n", "missing columns: N"),
        ("dtype,M,K,N,latency_s,latency_us\nfp16,1,1,1,1,1\n", "several units: latency_s, latency_us"),
        (HEAD + "x,fp16,64,64,64,1e-5\ny,fp16,64,64,64,1e-5\n", "several devices: x, y"),
        (HEAD + "x,fp7,64,64,64,1e-5\n", ":2: dtype: unknown dtype 'fp7'"),
        (HEAD + "x,fp16,0,64,64,1e-5\n", ":2: M: must be a whole number"),
        (HEAD + "x,fp16,64,64,,1e-5\n", ":2: N: is needed"),
        (HEAD + "x,fp16,64,64,64,-1\n", ":2: latency_s: must be a number above 0"),
        (HEAD + "x,fp16,64,64,64,12.5\n", ":2: latency_s: .*another unit than seconds"),
        (HEAD + "x,fp16,8192,8192,8192,1e-9\n", ":2: latency_s: faster than the peak.*another unit"),
        ("dtype,M,K,N,latency_s,tflops_reported\nfp16,64,64,64,1e-5,52\n", ":2: latency_s: .*reported 52: units"),
    ],
)
def test_wrong_tables_of_products_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_samples(file, load_accelerator(MATMUL_ACCELERATOR))


def test_a_table_of_measured_operators_counts_where_its_cores_are_all_of_the_chip(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    head = "kind,m,k,n,batch,elements,row,dtype,core,cores,cycles,bytes,joules,source\n"
    rows = "gemm,64,64,64,2,,,bf16,tc32x32os-512Ki,8,9000,,,x\ngemm,64,64,64,,,,bf16,tc32x32os-512Ki,1,9000,,,x\n"
    file.write_text(head + rows, encoding="utf-8")
    (sample,) = read_samples(file, CHIP)
    assert sample.work.macs == 2 * 64**3
    assert sample.seconds == 9e-6
    assert sample.name == "64x64x64 (2)"
    with pytest.raises(InputError, match=r"no operator on 4 × tc32x32os-512Ki or 8 × vc.*; in the file: 1 × .*, 8 × "):
        read_samples(file, replace(CHIP, tensor_cores=4))


def test_vector_operators_tell_the_vector_efficiency(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    head = "kind,m,k,n,batch,elements,row,dtype,core,cores,cycles,bytes,joules,source\n"
    lines = []
    for exponent in range(14, 26):
        cycles = round(20_000 + 19 * 2**exponent / (8 * 128) / 0.6)  # gelu: 19 operations, 60 % of the lanes' peak
        lines.append(f"gelu,,,,,{2**exponent},,bf16,vc64x2-128Ki,8,{cycles},{2**exponent},,x\n")
    file.write_text(head + "".join(lines), encoding="utf-8")
    samples = read_samples(file, CHIP)
    assert samples[0].name == "gelu 16384/1"
    assert constants_for("elementwise", CHIP) == ("launch", "vector_efficiency", "hbm_efficiency")
    found = calibrate(samples, CHIP, drawn([s.seconds for s in samples], 0.5, 0))
    for part in (found.part, found.swapped):
        assert part is not None
        own = part.calibration.of("elementwise")
        assert own.vector_efficiency == pytest.approx(0.6, abs=0.01)
        assert own.launch_s == pytest.approx(2e-5, rel=0.02)
        assert part.open == ("elementwise hbm_efficiency",)
        assert part.held_out.mape < 0.01
    file.write_text(head + lines[0] + lines[1].replace(f",{2**15},,x", ",,,x"), encoding="utf-8")
    with pytest.raises(InputError, match=":3: bytes: is needed to calibrate with 'gelu'"):
        read_samples(file, CHIP)


def test_an_accelerator_file_keeps_its_text_and_gets_the_section(tmp_path: Path) -> None:
    document = read_accelerator(MATMUL_ACCELERATOR)
    calibration = Calibration(2.5e-5, 0.75, 1.0, 0.5)
    text = calibrated_text(document, calibration, "a: b # c", "mine")
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    design = load_accelerator(file)
    assert design == replace(load_accelerator(MATMUL_ACCELERATOR), calibration=calibration)
    data = load_yaml(file).data
    assert data["calibration"]["source"] == "a: b # c"
    assert data["name"] == "mine"
    assert {**data, "name": 0, "calibration": 0} == {**document.data, "name": 0, "calibration": 0}
    again = calibrated_text(load_yaml(file), calibration, "a: b # c", "mine")
    assert again == text, "a second calibration replaces the first"
    flow = load_yaml(text="{" + ", ".join(f"{k}: {v}" for k, v in data.items() if k not in ("calibrated", "calibration", "description", "sources")) + "}", name="f")  # fmt: skip # noqa: E501
    with pytest.raises(InputError, match="f: has no place for a calibration section"):
        calibrated_text(flow, calibration, "x", "mine")


def test_rows_by_the_host_s_clock_leave_the_launch_of_kernels_alone() -> None:
    kernel = Calibration(kinds=(("product", Constants(3e-6, 0.9, 1.0, 0.8)),))
    host = [replace(s, seconds=max(6e-5, s.seconds + 4e-5), clock="host") for s in made(kernel)]
    machine = replace(CHIP, calibration=Calibration(launch_s=3e-6))
    found = _both(host, machine)
    own, written = found.part.calibration.of("product"), found.part.written.of("product")
    assert own.launch_s == pytest.approx(4.3e-5, rel=0.05)
    assert own.host_launch_s == pytest.approx(6e-5, rel=0.05)
    assert (written.launch_s, written.host_launch_s) == (3e-6, 0.0)
    assert written.array_efficiency == own.array_efficiency == pytest.approx(0.9, abs=0.02)


def _both(samples: list[Sample], machine: Design) -> Calibrated:
    predictor = Predictor(samples, machine)
    return calibrate(samples, machine, parts_of(samples, predictor, 0.4, 0), predictor=predictor)


def test_kinds_without_rows_keep_their_constants_but_for_a_missing_launch() -> None:
    found = calibrate(made(Calibration(1e-5, 0.8, 1.0, 0.7)), CHIP, (ALL[::2], ALL[1::2])).part.written
    assert found.hbm_efficiency == found.array_efficiency == 1.0, "an efficiency of products enters no other kind"
    assert found.of("product").hbm_efficiency < 1.0
    assert found.launch_s == found.of("softmax").launch_s == found.of("product").launch_s > 0


def test_what_hardware_does_not_do_is_warned_of() -> None:
    parts = (ALL[::2], ALL[1::2])
    usual = calibrate(made(Calibration(3e-6, 0.9, 1.0, 0.8)), CHIP, parts)
    odd = calibrate(made(Calibration(3e-6, 0.9, 1.0, 0.38)), CHIP, parts)
    assert usual.warnings == ()
    assert any("product: hbm_efficiency of 0.3" in text and "for this kind" in text for text in odd.warnings)
    slow = calibrate(made(Calibration(3e-5, 0.9, 1.0, 0.8)), CHIP, parts)
    assert any("--clock host" in text for text in slow.warnings)


@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
def test_the_shipped_calibration_is_what_calibrate_finds() -> None:
    design = load_accelerator(MATMUL_ACCELERATOR)
    samples = read_samples(Path(os.environ["ACCMINE_DATA"]) / "llmcompass_matmul_a100.csv", design)
    found = calibrate(samples, design, drawn([s.seconds for s in samples], 0.5, 0))
    own, shipped = found.part.calibration.of("product"), design.calibration
    for name in ("launch_s", "array_efficiency", "hbm_efficiency"):
        assert getattr(own, name) == pytest.approx(getattr(shipped, name), rel=0.05)
    assert found.part.held_out.mape < 0.05
    assert found.launch.held_out.mape < 0.10
