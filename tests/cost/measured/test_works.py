"""Measured operators in the place of modelled ones: the file, exact hits, interpolation, and what stays modelled."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost import (
    INVALID,
    MeasuredRow,
    OperatorCosts,
    binding,
    combine,
    durations,
    memory_of,
    read_measurements,
    read_rows,
    share,
    tensor_costs,
    vector_costs,
)
from accmine.cost.corrections import corrections
from accmine.cost.measured.file import COLUMNS
from accmine.cost.measured.values import OriginArray
from accmine.cost.measured.works import INTERPOLATED, MEASURED, MODELLED, Measurements, core_name, parse_core
from accmine.errors import InputError
from accmine.hardware import Calibration, Design, TensorCore, VectorCore
from accmine.hardware.technology import load_technology
from accmine.workload import BYTES, Vector
from accmine.workload.graph import Gemm, Work

SAMPLE = Path(__file__).parents[2] / "data" / "measured_sample.csv"
TENSOR = TensorCore(128, 128, 12 << 20, "ws")
VECTOR = VectorCore(128, 16, 4 << 20)
DESIGN = Design(2, TENSOR, 2, VECTOR, 16 << 30, 700 * 10**9, 700 * 10**6)
FAST = replace(DESIGN, hbm_bytes_per_s=100 * 10**12)
SPLITS = (1, 2, 4)
HEADER = "kind,m,k,n,batch,elements,row,dtype,core,cores,cycles,bytes,joules,source\n"


def product(m: int, k: int, n: int, batch: int = 1, vector: tuple[Vector, ...] = (), dtype: str = "bf16") -> Work:
    a, b, c = batch * m * k, batch * k * n, batch * m * n
    size = BYTES[dtype]
    return Work(Gemm(m, k, n, batch, a, b, c), vector, (a + b) * size, c * size, dtype)


def row(size: tuple[int, ...], cycles: int, **changes: object) -> MeasuredRow:
    values: dict[str, object] = {"kind": "gemm", "dtype": "bf16", "core": TENSOR, "cores": 1, "hbm_bytes": None}
    values |= {"joules": None, "source": "test", "where": "test:1", "size": size, "cycles": cycles} | changes
    return MeasuredRow(**values)  # type: ignore[arg-type]


def costs_of(works: tuple[Work, ...], design: Design, splits: tuple[int, ...] = SPLITS) -> OperatorCosts:
    technology = load_technology("tpu-16nm").need_power()
    memory = memory_of(design)
    tensor = tensor_costs(works, [design.tensor], splits, memory=memory, technology=technology)
    vector = vector_costs(works, [design.vector], splits, memory=memory, technology=technology)
    return combine(tensor, vector, corrections(works, design))


def applied(
    rows: tuple[MeasuredRow, ...], works: tuple[Work, ...], design: Design = FAST, reach: float = 2.0
) -> tuple[OperatorCosts, OperatorCosts, OriginArray]:
    """(model, with measurements, origin)."""
    table = Measurements(rows, reach)
    model = costs_of(works, design)
    found, origin = table.on(works).apply(model, costs_of(table.works, design), design)
    return model, found, origin


def total(costs: OperatorCosts, design: Design = FAST) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return durations(costs, design.usable_hbm_bytes_per_cycle)


sizes = st.integers(1, 4096)


@given(
    st.one_of(
        st.builds(TensorCore, sizes, sizes, st.integers(1, 1 << 32), st.sampled_from(("ws", "os", "is", "flexible"))),
        st.builds(VectorCore, sizes, sizes, st.integers(1, 1 << 32)),
    )
)
def test_core_names_read_back(core: TensorCore | VectorCore) -> None:
    assert parse_core(core_name(core)) == core


def test_core_names_are_those_of_designs() -> None:
    name = DESIGN.name.split("_")
    assert name[0] == "tc2x" + core_name(TENSOR).removeprefix("tc")
    assert name[1] == "vc2x" + core_name(VECTOR).removeprefix("vc")
    assert core_name(TENSOR) == "tc128x128ws-12Mi"


@pytest.mark.parametrize(
    "text", ["", "tc128ws-1Mi", "tc128x128xx-1Mi", "vc1x1", "tc0x1ws-1", "vc1x1-1024Ki", "128x128"]
)
def test_other_core_names_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="core"):
        parse_core(text)


def test_a_file_is_read() -> None:
    rows = {r.source: r for r in read_rows(SAMPLE)}
    assert rows["exact"] == replace(row((512, 1024, 1024, 1), 40_000), hbm_bytes=5_242_880, source="exact",
                                    where=rows["exact"].where)  # fmt: skip
    assert rows["seconds"].cycles == 28_000  # 40 us at 700 MHz
    assert rows["four cores"].cores == 4
    assert rows["batched"].size == (128, 64, 128, 16)
    assert (rows["softmax"].size, rows["softmax"].core) == ((65536, 128), VECTOR)
    assert rows["gelu"].size == (1 << 20, 1)
    assert rows["softmax"].joules == pytest.approx(2e-6)
    assert len(rows) == len(read_rows(SAMPLE))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_is_read(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    file, written, lines = tmp_path / "a.csv", [], []
    for line_number in range(2, 40):
        cores, slow = chance.choice((1, 2, 108)), chance.randint(0, 10**6)
        moved = chance.choice((None, chance.randint(1, 10**12)))
        joules = chance.choice((None, chance.random() + 1e-9))
        where = f"{file}:{line_number}"
        if chance.random() < 0.5:
            size = (*(chance.randint(1, 10**4) for _ in range(3)), chance.randint(1, 64))
            cycles = -(-size[0] * size[1] * size[2] * size[3] // (TENSOR.macs * cores)) + slow
            one = row(size, max(1, cycles), dtype=chance.choice(("bf16", "fp16", "fp32", "int8")), cores=cores)
            place = ",".join(map(str, size)) + ",,"
        else:
            size = (chance.randint(512, 10**6), chance.randint(1, 512))
            one = row(size, 10**7 + slow, kind="softmax", core=VECTOR, cores=cores, dtype="fp32")
            place = ",,,," + ",".join(map(str, size))
        one = replace(one, hbm_bytes=moved, joules=joules, where=where, source=f"run {line_number}")
        written.append(one)
        cells = (
            one.dtype,
            core_name(one.core),
            cores,
            one.cycles,
            moved or "",
            repr(joules) if joules else "",
            one.source,
        )
        lines.append(f"{one.kind},{place},{','.join(map(str, cells))}\n")
    file.write_text(HEADER + "".join(lines), encoding="utf-8")
    assert list(read_rows(file)) == written


WRONG = [
    ("gem,512,512,512,,,,bf16,tc128x128ws-12Mi,1,99999,,,x", "kind", "unknown kind 'gem'; did you mean 'gemm'"),
    ("gemm,512,512,512,,,,bf17,tc128x128ws-12Mi,1,99999,,,x", "dtype", "allowed: bf16, fp16, fp32, fp8, int8, tf32"),
    ("gemm,512,512,512,,,,bf16,tc128x128-12Mi,1,99999,,,x", "core", "such as tc128x128ws-12Mi"),
    ("gemm,512,512,512,,,,bf16,vc128x16-4Mi,1,99999,,,x", "core", "runs on a tensor core"),
    ("relu,,,,,512,,bf16,tc128x128ws-12Mi,1,99999,,,x", "core", "runs on a vector core"),
    ("gemm,0,512,512,,,,bf16,tc128x128ws-12Mi,1,99999,,,x", "m", "whole number from 1"),
    ("gemm,512,-1,512,,,,bf16,tc128x128ws-12Mi,1,99999,,,x", "k", "whole number from 1"),
    ("gemm,512,512,,,,,bf16,tc128x128ws-12Mi,1,99999,,,x", "n", "is needed for 'gemm'"),
    ("gemm,512,512,512,,9,,bf16,tc128x128ws-12Mi,1,99999,,,x", "elements", "leave it empty"),
    ("softmax,,,,,512,,bf16,vc128x16-4Mi,1,99999,,,x", "row", "is needed for 'softmax'"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,0,99999,,,x", "cores", "whole number from 1"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,1,,,,x", "cycles", "is needed, or seconds with frequency_hz"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,1,1.5,,,x", "cycles", "whole number"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,1,99999,-1,,x", "bytes", "whole number from 1"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,1,99999,,nan,x", "joules", "a number above 0"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,1,99999,,,", "source", "what was measured"),
    ("gemm,512,512,512,,,,bf16,tc128x128ws-12Mi,1,8191,,,x", "cycles", "faster than the peak.*needs 8,192"),
    ("relu,,,,,4096,,bf16,vc128x16-4Mi,1,1,,,x", "cycles", "faster than the peak"),
    ("gemm,99999999,99999999,99,,,,bf16,tc128x128ws-12Mi,1,9,,,x", "m", "more arithmetic than the model counts"),
]


@pytest.mark.parametrize(("line", "field", "message"), WRONG, ids=[f"{w[1]}-{i}" for i, w in enumerate(WRONG)])
def test_a_wrong_cell_is_named_with_its_line(tmp_path: Path, line: str, field: str, message: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"# comment\n{HEADER}{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_rows(file)
    assert [(c.where, c.field) for c in caught.value.complaints] == [(f"{file}:3", field)]


def test_seconds_need_a_clock_in_hertz(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    head = "kind,m,k,n,dtype,core,cycles,seconds,frequency_hz,source\n"
    start = "gemm,512,512,512,bf16,tc128x128ws-12Mi,"
    lines = ["99999,1e-3,7e8,x", ",1e-3,,x", ",1e-3,700,x", ",-1,7e8,x", ",1e-3,7e8,x"]
    file.write_text(head + "".join(f"{start}{line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_rows(file)
    found = [(c.where.rsplit(":", 1)[1], c.field) for c in caught.value.complaints]
    assert found == [("2", "cycles"), ("3", "frequency_hz"), ("4", "frequency_hz"), ("5", "seconds")]
    file.write_text(head + f"{start}{lines[-1]}\n", encoding="utf-8")
    assert [r.cycles for r in read_rows(file)] == [700_000]


def test_rows_that_disagree_are_refused_and_equal_ones_kept_once(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    line = "gemm,512,512,512,1,,,bf16,tc128x128ws-12Mi,1,{},,,x\n"
    file.write_text(HEADER + line.format(9000) + line.format(9000), encoding="utf-8")
    assert len(read_rows(file)) == 1
    file.write_text(HEADER + line.format(9000) + line.format(9001), encoding="utf-8")
    with pytest.raises(InputError, match=":3: the same operator as in line 2"):
        read_rows(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        (HEADER, "no rows"),
        ("kind,dtype\ngemm,bf16\n", "missing columns: core, source, cycles"),
        (HEADER.replace("cycles", "cycels") + ",".join("x" * 14) + "\n", "did you mean 'cycles'"),
        (HEADER.replace("joules", "bytes") + ",".join("x" * 14) + "\n", "columns given twice: bytes"),
        (HEADER + "gemm,1,2\n", ":2: 3 cells, but 14 columns"),
        (HEADER + 'gemm,"1,2\n', ":2: is no line of a CSV"),
        (HEADER + "x" * 200_000, ":2: is no line of a CSV"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_rows(file)
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.csv")


def test_the_documented_columns_are_the_allowed_ones() -> None:
    import accmine.cost.measured.file as module

    assert all(column in str(module.__doc__) for column in COLUMNS)


def test_an_exact_hit_overrides_time_bytes_and_energy_and_nothing_else() -> None:
    works = (product(512, 1024, 1024), product(300, 300, 300), product(512, 1024, 1024, dtype="fp16"))
    hit = row((512, 1024, 1024, 1), 77_777, hbm_bytes=9_000_000, joules=3e-3)
    model, found, origin = applied((hit,), works)
    assert origin.tolist() == [[MEASURED, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert total(found)[0, 0] == 77_777
    assert found.hbm_bytes[0, 0] == 9_000_000
    assert found.energy_pj is not None
    assert model.energy_pj is not None
    assert found.energy_pj[0, 0] == pytest.approx(3e9)
    other = origin == MODELLED
    for name in ("cycles", "hbm_bytes", "energy_pj", "tensor_cycles", "vector_cycles", "port_cycles"):
        assert np.array_equal(getattr(found, name)[other], getattr(model, name)[other]), name
    assert model.cycles[0, 0] != found.cycles[0, 0]  # the model itself is not changed
    assert binding(found, FAST.hbm_bytes_per_cycle)[0, 0] == 0  # array


def test_a_measured_time_holds_its_launch() -> None:
    design = replace(FAST, calibration=Calibration(launch_s=1e-5))
    works = (product(512, 1024, 1024),)
    _, found, _ = applied((row((512, 1024, 1024, 1), 77_777),), works, design)
    assert found.corrections.launch_cycles.tolist() == [design.launch_cycles]
    assert design.launch_cycles >= 7000
    assert total(found, design)[0, 0] == 77_777


def test_a_row_shorter_than_the_launch_is_refused() -> None:
    design = replace(FAST, calibration=Calibration(launch_s=1e-4))
    works = (product(512, 1024, 1024),)
    short = row((512, 1024, 1024, 1), 69_999, where="a.csv:7")
    also = row((65536, 128), 60_000, kind="softmax", core=VECTOR, where="a.csv:9")
    with pytest.raises(InputError) as caught:
        applied((short, also), works, design)
    adds = "cycles are less than the launch of 70,000 cycles that the accelerator's calibration adds"
    assert [c.message for c in caught.value.complaints] == [
        f"row a.csv:7: 69,999 {adds}",
        f"row a.csv:9: 60,000 {adds}",
    ]
    applied((short, replace(also, cycles=70_000)), works, replace(design, tensor=replace(TENSOR, dataflow="os")))
    _, found, origin = applied((replace(short, cycles=110_000),), works, design)
    assert (total(found, design)[0, 0], origin[0, 0]) == (110_000, MEASURED)


def test_a_measured_time_below_the_modelled_traffic_cuts_the_traffic() -> None:
    small = replace(TENSOR, sram_bytes=256 << 10)
    design = replace(DESIGN, tensor=small, hbm_bytes_per_s=70 * 10**9)
    works = (product(2048, 2048, 2048),)
    model, _, _ = applied((), works, design)
    slow = int(total(model, design)[0, 0])
    floor = int(np.ceil(model.compulsory_bytes[0] / design.hbm_bytes_per_cycle))
    assert slow > model.cycles[0, 0] + 2000, "bound by the HBM"
    assert slow > floor + 2000, "operands are read more than once"
    for cycles in (slow - 1000, floor - 1):
        hit = row((2048, 2048, 2048, 1), max(cycles, int(model.ideal_cycles[0, 0])), core=small)
        _, found, origin = applied((hit,), works, design)
        assert total(found, design)[0, 0] == max(hit.cycles, floor)
    assert origin[0, 0] == MEASURED


@pytest.mark.parametrize("seed", range(5))
def test_nothing_falls_below_its_bounds(seed: int) -> None:
    chance = random.Random(seed)
    works = tuple(
        {
            product(chance.randint(1, 900), chance.randint(1, 900), chance.randint(1, 900), chance.choice((1, 3)))
            for _ in range(20)
        }
    )
    rows = []
    for work in works[:12]:
        g = work.gemm
        assert g is not None
        ideal = -(-g.macs // TENSOR.macs)
        moved = chance.choice((None, 1, 10**6))
        rows.append(row((g.m, g.k, g.n, g.batch), ideal + chance.randint(0, 3), hbm_bytes=moved))
    model, found, origin = applied(tuple(rows), works, DESIGN, reach=16.0)
    valid = model.cycles != INVALID
    assert (origin != MODELLED).sum() >= 12
    assert bool((found.cycles >= found.ideal_cycles)[valid].all())
    assert bool((found.hbm_bytes >= found.compulsory_bytes[:, None]).all())
    sides = np.maximum(np.maximum(found.tensor_cycles, found.vector_cycles), found.port_cycles)
    assert np.array_equal(found.cycles[valid], sides[valid])
    assert found.cycles.dtype == np.int64
    assert np.array_equal(found.cycles == INVALID, ~valid)


@pytest.mark.parametrize("seed", range(6))
def test_a_constant_factor_on_all_rows_is_interpolated_exactly(seed: int) -> None:
    chance = random.Random(seed)
    corners = [(m, k, n, 1) for m in (256, 512) for k in (512, 1024) for n in (256, 400)]
    inside = tuple(
        product(chance.randint(256, 512), chance.randint(512, 1024), chance.randint(256, 400)) for _ in range(8)
    )
    factor = 1.0 + chance.random()
    plain = Measurements(tuple(row(size, 10**9) for size in corners))
    exact = total(costs_of(plain.works, FAST))[:, 0]
    rows = [row(size, max(1, round(factor * cycles))) for size, cycles in zip(corners, exact, strict=True)]
    chance.shuffle(rows)
    model, found, origin = applied(tuple(rows), inside)
    assert bool((origin[:, 0] == INTERPOLATED).all())
    assert bool((origin[:, 1:] == MODELLED).all()), "measured on one core says nothing of two"
    assert total(found)[:, 0] == pytest.approx(factor * total(model)[:, 0], rel=1e-4, abs=2)


@pytest.mark.parametrize("design", [DESIGN, FAST, replace(DESIGN, hbm_bytes_per_s=70 * 10**9)])
def test_a_table_of_the_models_own_times_changes_no_time(design: Design) -> None:
    corners = tuple(product(m, k, n) for m in (64, 2048) for k in (64, 2048) for n in (64, 1024))
    base = total(costs_of(corners, design), design)
    chance = random.Random(7)
    inside = tuple(
        product(chance.randint(64, 2048), chance.randint(64, 2048), chance.randint(64, 1024)) for _ in range(15)
    )
    rows = tuple(
        row((w.gemm.m, w.gemm.k, w.gemm.n, 1), int(base[i, s]), cores=cores)
        for i, w in enumerate(corners)
        for s, cores in enumerate(SPLITS)
        if w.gemm is not None
    )
    model, found, origin = applied(rows, (*corners, *inside), design, reach=16.0)
    assert bool((origin[: len(corners)] == MEASURED).all())
    assert {INTERPOLATED} <= set(origin[len(corners) :].ravel().tolist())
    assert total(found, design) == pytest.approx(total(model, design), abs=1)


def test_interpolation_lies_between_the_ratios_of_the_rows_and_nearer_to_the_nearer() -> None:
    ends = [(256, 512, 512, 1), (512, 512, 512, 1)]
    base = total(costs_of(Measurements(tuple(row(s, 10**9) for s in ends)).works, FAST))[:, 0]
    rows = (row(ends[0], int(base[0])), row(ends[1], int(2 * base[1])))
    works = tuple(product(m, 512, 512) for m in (257, 300, 362, 440, 511))
    model, found, origin = applied(rows, works)
    ratio = total(found)[:, 0] / total(model)[:, 0]
    assert bool((origin[:, 0] == INTERPOLATED).all())
    assert bool((np.diff(ratio) > 0).all())
    assert 1.0 < ratio[0] < 1.05
    assert 1.9 < ratio[-1] <= 2.0
    assert ratio[2] == pytest.approx(2**0.5, rel=0.01)  # half way in log size


@pytest.mark.parametrize(
    "work",
    [
        product(255, 512, 512),  # below both rows: that would be extrapolation
        product(513, 512, 512),
        product(300, 511, 512),  # between them in m, outside in k
        product(300, 512, 512, batch=2),
        product(300, 512, 512, dtype="fp16"),
        replace(product(300, 512, 512), gemm=Gemm(300, 512, 512, 1, 30_000, 512 * 512, 300 * 512)),  # a convolution
    ],
)
def test_outside_the_rows_the_model_stays(work: Work) -> None:
    rows = (row((256, 512, 512, 1), 90_000), row((512, 512, 512, 1), 180_000))
    model, found, origin = applied(rows, (work,))
    assert not origin.any()
    assert np.array_equal(model.cycles, found.cycles)


def test_rows_out_of_reach_do_not_count() -> None:
    rows = (row((128, 512, 512, 1), 90_000), row((1024, 512, 512, 1), 180_000))
    work = (product(362, 512, 512),)  # a factor of 2.83 from either
    for reach, origin in ((2.0, MODELLED), (3.0, INTERPOLATED)):
        assert applied(rows, work, reach=reach)[2][0, 0] == origin
    between = (product(128, 512, 512), product(129, 512, 512))
    assert applied(rows, between, reach=1.0)[2][:, 0].tolist() == [MEASURED, MODELLED]
    with pytest.raises(InputError, match="reach must be a factor from 1"):
        Measurements(rows, 0.5)


def test_bytes_and_energy_are_interpolated_where_every_near_row_has_them() -> None:
    ends = [(256, 512, 512, 1), (512, 512, 512, 1)]
    works = (product(362, 512, 512),)
    base = costs_of(Measurements(tuple(row(s, 10**9) for s in ends)).works, FAST)
    assert base.energy_pj is not None
    values = [(3 * int(base.hbm_bytes[i, 0]), 5e-12 * float(base.energy_pj[i, 0])) for i in range(2)]
    rows = tuple(row(s, 10**6, hbm_bytes=b, joules=e) for s, (b, e) in zip(ends, values, strict=True))
    model, found, _ = applied(rows, works)
    assert model.energy_pj is not None
    assert found.energy_pj is not None
    assert found.hbm_bytes[0, 0] == pytest.approx(3 * model.hbm_bytes[0, 0], rel=1e-6)
    assert found.energy_pj[0, 0] == pytest.approx(5 * model.energy_pj[0, 0], rel=1e-6)
    model, found, _ = applied((rows[0], replace(rows[1], hbm_bytes=None, joules=None)), works)
    assert model.energy_pj is not None
    assert found.energy_pj is not None
    assert found.hbm_bytes[0, 0] == model.hbm_bytes[0, 0]
    assert found.energy_pj[0, 0] == model.energy_pj[0, 0]


def test_a_fused_operator_takes_the_time_of_its_product() -> None:
    alone, fused = product(512, 1024, 1024), product(512, 1024, 1024, vector=(Vector("gelu", 512 * 1024),))
    hit = row((512, 1024, 1024, 1), 77_777, hbm_bytes=9_000_000, joules=3e-3)
    model, found, origin = applied((hit,), (alone, fused))
    assert origin[:, 0].tolist() == [MEASURED, INTERPOLATED]
    assert found.tensor_cycles[1, 0] == 77_777
    assert found.cycles[1, 0] == max(77_777, model.vector_cycles[1, 0])
    assert found.hbm_bytes[1, 0] == model.hbm_bytes[1, 0]
    assert found.energy_pj is not None
    assert model.energy_pj is not None
    assert found.energy_pj[1, 0] == model.energy_pj[1, 0]


def test_vector_operators_hit_exactly_or_not_at_all() -> None:
    def work(kind: str, elements: int, length: int) -> Work:
        return Work(None, (Vector(kind, elements, length),), 2 * elements, 2 * elements, "bf16")

    works = (work("softmax", 65536, 128), work("softmax", 65536, 256), work("gelu", 65536, 1), work("relu", 65536, 1))
    rows = (
        row((65536, 128), 50_000, kind="softmax", core=VECTOR, cores=2),
        row((65536, 1), 60_000, kind="gelu", core=VECTOR, hbm_bytes=300_000, joules=1e-6),
    )
    _, found, origin = applied(rows, works)
    assert origin.tolist() == [[0, MEASURED, 0], [0, 0, 0], [MEASURED, 0, 0], [0, 0, 0]]
    assert (total(found)[0, 1], total(found)[2, 0]) == (50_000, 60_000)
    assert (found.vector_cycles[2, 0], found.tensor_cycles[2, 0]) == (60_000, 0)
    assert found.hbm_bytes[2, 0] == 300_000
    assert found.energy_pj is not None
    assert found.energy_pj[2, 0] == pytest.approx(1e6)


def test_a_row_counts_only_on_its_own_cores() -> None:
    works = (product(512, 1024, 1024),)
    hit = row((512, 1024, 1024, 1), 77_777)
    for other in (
        replace(FAST, tensor=replace(TENSOR, sram_bytes=6 << 20)),
        replace(FAST, tensor=replace(TENSOR, dataflow="os")),
    ):
        assert not applied((hit,), works, other)[2].any()
    assert applied((replace(hit, cores=4),), works)[2].tolist() == [[0, 0, MEASURED]]
    assert Measurements((hit, replace(hit, cores=8))).cores == (1, 8)


def test_a_row_of_more_cores_than_have_work_counts_on_them() -> None:
    works = (product(1, 2, 1),)  # four cores have nothing to do: the model repeats the entry of fewer
    model, found, origin = applied((row((1, 2, 1, 1), 500, cores=4), row((1, 2, 1, 1), 900)), works)
    assert model.cycles[0, 2] == model.cycles[0, 0] != INVALID
    assert origin.tolist() == [[MEASURED, 0, MEASURED]]
    assert found.cycles[0].tolist() == [900, model.cycles[0, 1], 500]


def test_costs_of_other_works_are_refused() -> None:
    table, works = Measurements((row((512, 512, 512, 1), 90_000),)), (product(300, 300, 300), product(1, 2, 3))
    prepared, of_rows = table.on(works), costs_of(table.works, FAST)
    with pytest.raises(InputError, match="must be those of the works"):
        prepared.apply(costs_of(works[:1], FAST), of_rows, FAST)
    with pytest.raises(InputError, match="the same splits"):
        prepared.apply(costs_of(works, FAST), costs_of(table.works, FAST, (1, 2)), FAST)


def test_many_works_are_applied_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)
    rows = tuple(row((m, 512, 512, 1), 100 * m + 10_000) for m in (64, 128, 256, 512))
    works = tuple(product(chance.randint(32, 600), 512, 512) for _ in range(60))
    _, whole, origin = applied(rows, works)
    monkeypatch.setattr("accmine.cost.measured.works._CHUNK", 16)
    _, pieces, again = applied(rows, works)
    assert np.array_equal(whole.cycles, pieces.cycles)
    assert np.array_equal(origin, again)
    assert {MODELLED, INTERPOLATED} <= set(origin[:, 0].tolist())


def test_the_sample_file_applies_to_a_design() -> None:
    table = read_measurements(SAMPLE)
    works = (product(512, 1024, 1024), product(512, 1024, 1500), product(512, 1024, 3000))
    _, _, origin = applied(table.rows, works)
    assert origin[:, 0].tolist() == [MEASURED, INTERPOLATED, MODELLED]


def test_the_example_of_the_docs_is_a_table(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "measurements.md").read_text(encoding="utf-8")
    block = next(block for block in text.split("```") if block.startswith("\nkind,"))
    (tmp_path / "a.csv").write_text(block.strip() + "\n", encoding="utf-8")
    assert [(r.kind, r.cores) for r in read_rows(tmp_path / "a.csv")] == [("gemm", 1), ("gemm", 4), ("softmax", 1)]
    assert all(f"`{column}`" in text for column in COLUMNS)


def test_shares() -> None:
    found = share(np.array([0, 1, 2, 2]), [1, 2, 3, 4])
    assert (found.measured, found.interpolated, found.modelled) == pytest.approx((0.7, 0.2, 0.1))
    found = share([2, 0], [0, 0])
    assert (found.measured, found.interpolated, found.modelled) == (0.5, 0.0, 0.5)
    for origin, weights in (([], []), ([1], [1, 2]), ([1], [-1])):
        with pytest.raises(InputError):
            share(origin, weights)


def test_rows_are_of_a_core_whatever_its_rates(tmp_path: Path) -> None:
    rated = replace(FAST, tensor=replace(TENSOR, rates=(("int8", 2.0),)))
    file = tmp_path / "rows.csv"
    # 8,192 cycles at the bf16 rate: 4,096 at this chip's, which the file cannot know
    file.write_text(HEADER + "gemm,512,512,512,,,,int8,tc128x128ws-12Mi,1,5000,,,x\n")
    rows = tuple(read_rows(file))
    for design, expected in ((FAST, 8192), (rated, 5000)):
        _, found, origin = applied(rows, (product(512, 512, 512, dtype="int8"),), design)
        assert origin[0, 0] == MEASURED
        assert total(found, design)[0, 0] == expected
    file.write_text(HEADER + "gemm,512,512,512,,,,int8,tc128x128ws-12Mi,1,127,,,x\n")
    with pytest.raises(InputError, match="faster than the peak"):
        read_rows(file)
