"""ZigZag as a source of costs: what it is given, what is read from it, and the file that keeps its results."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from math import ceil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from accmine.cost import (
    PRESETS,
    Evaluation,
    accelerator,
    array_cycles,
    best_dataflow,
    evaluate,
    layer,
    mac_pj,
    mapping,
    port_bits,
    read_rows,
    resolve_timing,
)
from accmine.cost.measured import zigzag
from accmine.cost.measured.zigzag import measured_rows, rows_csv, zigzag_rows
from accmine.errors import InputError
from accmine.hardware import FLEXIBLE, TensorCore
from accmine.hardware.technology import Technology, load_technology
from accmine.questions.export import scalesim
from accmine.workload.work import Gemm, Vector, Work

CORE = TensorCore(16, 8, 64 << 10, "ws")
ALONG = {"ws": ("K", "C"), "is": ("B", "C"), "os": ("K", "B")}


@pytest.fixture(scope="module")
def technology() -> Technology:
    return load_technology("tpu-16nm")


def work(m: int, k: int, n: int, batch: int = 1, dtype: str = "bf16", **more: Any) -> Work:
    gemm = Gemm(m, k, n, batch, batch * m * k, batch * k * n, batch * m * n)
    return Work(replace(gemm, **more), (), 1, 1, dtype)


class Runner:
    """Stands for ZigZag: folds · stream from what it is given, fixed stalls and traffic; counts its runs."""

    def __init__(self) -> None:
        self.runs: list[tuple[tuple[int, ...], dict[str, Any]]] = []

    def __call__(self, hardware: Any, spatial: Any, product: Any, lpf_limit: int, objective: str) -> Evaluation:
        assert objective == "EDP"
        sizes = dict(zip(product["loop_dims"], product["loop_sizes"], strict=True))
        self.runs.append((tuple(product["loop_sizes"]), hardware))
        cycles = 1
        laid = {}
        for unrolled in spatial[0]["spatial_mapping"].values():
            dimension, _, units = unrolled[0].partition(", ")
            laid[dimension] = int(units)
        for dimension, size in sizes.items():
            cycles *= ceil(size / laid.get(dimension, 1))
        moved = 2 * sum(sizes.values())
        return Evaluation(cycles, 5, 3, 100, 10.0 * lpf_limit, 7.0, moved)


def test_the_core_is_described_in_bits(technology: Technology) -> None:
    made = accelerator(CORE, "ws", "bf16", "tpu-like", technology, hbm_bytes=1 << 30, hbm_bits_per_cycle=8000)
    assert made["name"] == "tc16x8ws-64Ki"
    array = made["operational_array"]
    assert (array["dimensions"], array["sizes"]) == (["D1", "D2"], [8, 16])  # columns, rows
    assert array["systolic_dimensions"] == ["D1", "D2"]
    assert array["unit_energy"] == mac_pj("bf16", PRESETS["tpu-like"], technology)
    memories = made["memories"]
    assert list(memories) == ["stationary", "sums", "sram", "hbm"]
    assert (memories["stationary"]["size"], memories["stationary"]["operands"]) == (32, ["I2"])
    assert (memories["sums"]["size"], memories["sums"]["served_dimensions"]) == (64, ["D2"])
    assert memories["sram"]["size"] == 8 * (64 << 10)
    assert memories["hbm"]["size"] == 8 << 30
    # Energy is per access of the full width of a port.
    assert memories["sram"]["r_cost"] == pytest.approx(1000 * technology.sram_pj_per_byte(64 << 10))
    assert memories["hbm"]["w_cost"] == pytest.approx(1000 * technology.hbm_pj_per_byte)
    assert {port["bandwidth_max"] for port in memories["sram"]["ports"]} == {8000}
    assert [port["bandwidth_max"] for port in memories["hbm"]["ports"]] == [8000]


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
@pytest.mark.parametrize("timing", ["tpu-like", "scalesim3"])
def test_every_operand_has_its_path(technology: Technology, dataflow: str, timing: str) -> None:
    made = accelerator(CORE, dataflow, "bf16", timing, technology, hbm_bytes=1 << 30)
    served: dict[str, list[str]] = {"I1": [], "I2": [], "O": []}
    for name, memory in made["memories"].items():
        ways = [allocation for port in memory["ports"] for allocation in port["allocation"]]
        assert len(ways) == len(set(ways))
        for operand in memory["operands"]:
            served[operand].append(name)
            needed = {"fh", "tl", "fl", "th"} if operand == "O" else {"fh", "tl"}
            assert {way for own, _, way in (a.partition(", ") for a in ways) if own == operand} == needed
        for port in memory["ports"]:
            assert port["bandwidth_max"] % port["bandwidth_min"] == 0
    stays = {"ws": "I2", "is": "I1"}.get(dataflow)
    for operand, path in served.items():
        first = ["sums"] if operand == "O" else ["stationary"] if operand == stays else []
        assert path == [*first, "sram", "hbm"]
    if stays:
        assert made["memories"]["stationary"]["size"] == (32 if timing == "tpu-like" else 16)
        assert made["memories"]["stationary"]["served_dimensions"] == []
    assert made["memories"]["sums"]["served_dimensions"] == ([] if dataflow == "os" else ["D2"])
    columns, rows = ALONG[dataflow]
    (spatial,) = mapping(CORE, dataflow)
    assert spatial["spatial_mapping"] == {"D1": [f"{columns}, 8"], "D2": [f"{rows}, 16"]}


@pytest.mark.parametrize(("dtype", "bits"), [("bf16", 16), ("fp16", 16), ("fp32", 32), ("int8", 8)])
def test_ports_carry_an_edge_of_the_array(technology: Technology, dtype: str, bits: int) -> None:
    for tensor in (CORE, TensorCore(4, 64, 1 << 20), TensorCore(64, 4, 1 << 20)):
        width = port_bits(tensor, bits, 1)
        assert width >= tensor.rows * bits
        assert width >= tensor.cols * 32
        made = accelerator(tensor, "ws", dtype, "tpu-like", technology, hbm_bytes=1 << 30)
        assert made["memories"]["hbm"]["ports"][0]["bandwidth_max"] == width  # never slower than the SRAM
        assert made["memories"]["stationary"]["ports"][0]["bandwidth_max"] == bits
    product = layer("x", 2, 3, 4, 5, dtype)
    assert product["operand_precision"] == {"W": bits, "I": bits, "O": 32, "O_final": bits}
    assert (product["loop_dims"], product["loop_sizes"]) == (["B", "K", "C"], [3, 5, 4])  # m, n, k
    assert (product["id"], product["operand_source"]) == (2, {"I": 2, "W": 2})


def test_what_zigzag_cannot_be_told_is_refused(technology: Technology) -> None:
    with pytest.raises(InputError, match="unknown dtype 'bool' of a product; allowed: bf16, fp16, fp32, fp8"):
        accelerator(CORE, "ws", "bool", "tpu-like", technology, hbm_bytes=1)
    with pytest.raises(InputError, match="unknown dataflow 'flexible'; allowed: ws, os, is"):
        accelerator(CORE, FLEXIBLE, "bf16", "tpu-like", technology, hbm_bytes=1)
    with pytest.raises(InputError, match="defines area only"):
        accelerator(CORE, "ws", "bf16", "tpu-like", load_technology("phaze-22nm"), hbm_bytes=1)


def test_rows_are_read_back_as_measurements(technology: Technology, tmp_path: Path) -> None:
    works = [work(40, 33, 20), work(40, 33, 20), work(40, 33, 20, batch=3), work(1, 2, 3, dtype="fp32")]
    rows = zigzag_rows(works, CORE, technology, runner=Runner())
    assert [(r.m, r.k, r.n, r.batch, r.dtype) for r in rows] == [
        (40, 33, 20, 1, "bf16"),
        (40, 33, 20, 3, "bf16"),
        (1, 2, 3, 1, "fp32"),
    ]
    # ⌈33/16⌉ · ⌈20/8⌉ folds of 40 cycles, 5 of stalls and 3 of crossing; on- and off-loading is the HBM's.
    assert rows[0].cycles == 3 * 3 * 40 + 8
    assert rows[1].cycles == 3 * rows[0].cycles
    assert rows[0].hbm_bytes == 2 * 93
    assert rows[1].hbm_bytes == 3 * rows[0].hbm_bytes
    assert rows[0].joules == pytest.approx(67e-12)
    # Three passes: cycles and memory energy are those of three, the multiplication's energy counts all of them.
    assert rows[2].cycles == 3 * (1 + 8)
    assert rows[2].joules == pytest.approx((60 + 3 * 7) * 1e-12)
    file = tmp_path / "rows.csv"
    file.write_text(rows_csv(rows))
    assert [replace(row, where="") for row in read_rows(file)] == [replace(r, where="") for r in measured_rows(rows)]
    for row, back in zip(rows, read_rows(file), strict=True):
        assert back.core == CORE
        assert (back.size, back.dtype, back.cores) == ((row.m, row.k, row.n, row.batch), row.dtype, 1)
        assert (back.cycles, back.hbm_bytes, back.joules) == (row.cycles, row.hbm_bytes, row.joules)
        assert back.source == row.source


def test_rows_are_costs(technology: Technology) -> None:
    from accmine.cost.measured.works import Measurements

    rows = zigzag_rows([work(40, 33, 20)], CORE, technology, runner=Runner())
    table = Measurements(measured_rows(rows))
    assert table.cores == (1,)
    assert table.works[0].gemm == work(40, 33, 20).gemm


def test_the_extra_installs_the_release_that_was_tried() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert f"zigzag-dse=={zigzag.VERSION}" in extras["zigzag"]
    assert f"scalesim=={scalesim.VERSION}" in extras["scalesim"]


def test_each_product_runs_once(technology: Technology, tmp_path: Path) -> None:
    cache, runner = tmp_path / "cache" / "zigzag.csv", Runner()
    first = zigzag_rows([work(8, 8, 8), work(9, 8, 8)], CORE, technology, cache=cache, runner=runner)
    assert len(runner.runs) == 2
    again = zigzag_rows([work(9, 8, 8), work(7, 8, 8)], CORE, technology, cache=cache, runner=runner)
    assert [sizes for sizes, _ in runner.runs] == [(8, 8, 8), (9, 8, 8), (7, 8, 8)]
    assert again[0] == first[1]
    other = replace(CORE, rows=4)
    zigzag_rows([work(9, 8, 8)], other, technology, cache=cache, runner=runner)
    assert len(runner.runs) == 4  # another core is another run
    assert len(read_rows(cache)) == 4
    assert zigzag_rows([work(9, 8, 8)], CORE, technology, cache=cache, runner=runner) == (first[1],)
    assert len(runner.runs) == 4


def test_an_interrupted_run_keeps_what_it_has(technology: Technology, tmp_path: Path) -> None:
    cache = tmp_path / "zigzag.csv"
    fine = Runner()

    def runner(*given: Any) -> Evaluation:
        if fine.runs:
            raise KeyboardInterrupt
        return fine(*given)

    with pytest.raises(KeyboardInterrupt):
        zigzag_rows([work(8, 8, 8), work(9, 8, 8)], CORE, technology, cache=cache, runner=runner)
    (kept,) = read_rows(cache)
    assert kept.size == (8, 8, 8, 1)


def test_two_processes_may_fill_one_file(technology: Technology, tmp_path: Path) -> None:
    cache, inner = tmp_path / "zigzag.csv", Runner()

    def runner(*given: Any) -> Evaluation:
        zigzag_rows([work(4, 4, 4)], CORE, technology, cache=cache, runner=Runner())  # meanwhile, elsewhere
        return inner(*given)

    zigzag_rows([work(8, 8, 8)], CORE, technology, cache=cache, runner=runner)
    assert {row.size for row in read_rows(cache)} == {(8, 8, 8, 1), (4, 4, 4, 1)}


def test_a_file_of_another_kind_of_run_is_refused(technology: Technology, tmp_path: Path) -> None:
    cache = tmp_path / "zigzag.csv"
    zigzag_rows([work(8, 8, 8)], CORE, technology, cache=cache, runner=Runner())
    for keys in ({"lpf_limit": 7}, {"timing": "scalesim3"}):
        with pytest.raises(InputError, match=r"zigzag\.csv:2: source: .* is another kind of run than"):
            zigzag_rows([work(8, 8, 8)], CORE, technology, cache=cache, runner=Runner(), **keys)
    named = replace(technology, name="my-5nm")
    with pytest.raises(InputError, match="another kind of run"):
        zigzag_rows([work(8, 8, 8)], CORE, named, cache=cache, runner=Runner())


def test_what_is_no_plain_product_has_no_row(technology: Technology) -> None:
    runner = Runner()
    works = [Work(None, (Vector("gelu", 8),), 1, 1, "bf16"), work(8, 9, 8, a_elements=16), work(8, 8, 8)]
    rows = zigzag_rows(works, CORE, technology, runner=runner)
    assert [(row.m, row.k, row.n) for row in rows] == [(8, 8, 8)]


def test_a_flexible_core_runs_its_best_dataflow(technology: Technology) -> None:
    core, runner = replace(CORE, dataflow=FLEXIBLE), Runner()
    shapes = [(500, 8, 8), (8, 500, 8), (8, 8, 500), (64, 64, 64)]
    for m, k, n in shapes:
        gemm = work(m, k, n).gemm
        assert gemm is not None
        flow = best_dataflow(gemm, core, "tpu-like")
        times = {f: int(array_cycles(m, k, n, 1, 16, 8, f, "tpu-like")) for f in ALONG}
        assert times[flow] == min(times.values())
        (row,) = zigzag_rows([work(m, k, n)], core, technology, runner=runner)
        assert row.core == "tc16x8flexible-64Ki"
        assert ("stationary" in runner.runs[-1][1]["memories"]) == (flow != "os")
        assert runner.runs[-1][1]["name"] == f"tc16x8flexible-64Ki-{flow}"


class _Direction(StrEnum):
    UP = "up"
    DOWN = "down"


def fake_zigzag(monkeypatch: pytest.MonkeyPatch, found: Any) -> list[dict[str, Any]]:
    """Modules ``zigzag`` whose API answers ``found``; what it was given is in the list."""
    heard: list[dict[str, Any]] = []

    def performance(**given: Any) -> tuple[float, float, Any]:
        logging.basicConfig(level=logging.INFO)
        logging.getLogger("zigzag.stages").info("chatter")
        files = {name: yaml.safe_load(Path(given[name]).read_text()) for name in ("accelerator", "mapping")}
        Path(given["dump_folder"], "dump.json").write_text("{}")
        heard.append(given | files)
        if isinstance(found, Exception):
            raise found
        return 0.0, 0.0, [(None, [(found, None)])]

    parts: dict[str, dict[str, Any]] = {
        "zigzag": {},
        "zigzag.api": {"get_hardware_performance_zigzag": performance},
        "zigzag.mapping": {},
        "zigzag.mapping.data_movement": {
            "DataMoveAttr": SimpleNamespace(
                DATA_TRANS_AMOUNT_PER_PERIOD="amount", DATA_PRECISION="bits", DATA_TRANS_PERIOD_COUNT="periods"
            )
        },
        "zigzag.opt": {},
        "zigzag.opt.loma": {},
        "zigzag.opt.loma.engine": {"NoValidLoopOrderingFoundException": LookupError},
        "zigzag.opt.loma.memory_allocator": {
            "MemoryHierarchyTooSmallException": BufferError,
            "MemoryTooSmallException": MemoryError,
        },
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
        if "." in name:
            above, _, last = name.rpartition(".")
            setattr(sys.modules[above], last, module)
    return heard


def movement(up: tuple[int, int, int], down: tuple[int, int, int]) -> Any:
    """One memory level of one operand: (amount, bits, periods) in two directions."""
    table = {
        name: SimpleNamespace(data={_Direction.UP: up[i], _Direction.DOWN: down[i]})
        for i, name in enumerate(("amount", "bits", "periods"))
    }
    for entry in table.values():
        entry.get = entry.data.get
    return SimpleNamespace(get_attribute=table.get)


@pytest.fixture
def quiet() -> Iterator[None]:
    """The root logger as it was."""
    before = list(logging.getLogger().handlers), logging.getLogger("zigzag").level
    yield
    assert (list(logging.getLogger().handlers), logging.getLogger("zigzag").level) == before


@pytest.mark.usefixtures("quiet")
def test_figures_of_the_tool_are_read(
    monkeypatch: pytest.MonkeyPatch, technology: Technology, caplog: pytest.LogCaptureFixture
) -> None:
    nothing, bottom = movement((0, 0, 0), (0, 0, 0)), movement((9, 9, 9), (9, 9, 9))
    found = SimpleNamespace(
        ideal_temporal_cycle=360.0,
        latency_total0=371.5,
        latency_total2=500.0,
        systolic_drain_cycle=22,
        mac_energy=12.5,
        mem_energy=40.0,
        mapping=SimpleNamespace(
            unit_mem_data_movement={
                "O": [bottom, bottom, movement((0, 0, 0), (100, 16, 3))],
                "W": [bottom, bottom, movement((10, 16, 4), (0, 0, 0))],
                "I": [bottom, nothing],
            },
            spatial_mapping=SimpleNamespace(unit_count={"O": [8, 8, 8, 1], "W": [8, 8, 8, 2], "I": [8, 8, 1]}),
        ),
    )
    heard = fake_zigzag(monkeypatch, found)
    given = accelerator(CORE, "ws", "bf16", "tpu-like", technology, hbm_bytes=1 << 30)
    got = evaluate(given, mapping(CORE, "ws"), layer("x", 0, 40, 33, 20, "bf16"), 4, "energy")
    assert got == Evaluation(360, 12, 22, 106, 12.5, 40.0, (100 * 16 * 3 + 10 * 16 * 4 * 2) // 8)
    assert (got.core_cycles, got.cycles) == (394, 500)
    (call,) = heard
    assert (call["accelerator"], call["mapping"]) == (given, mapping(CORE, "ws"))
    assert (call["opt"], call["lpf_limit"], call["loma_show_progress_bar"]) == ("energy", 4, False)
    assert not Path(call["dump_folder"]).exists()  # its files are gone
    assert "chatter" not in caplog.text


@pytest.mark.usefixtures("quiet")
def test_no_mapping_is_named(monkeypatch: pytest.MonkeyPatch, technology: Technology) -> None:
    fake_zigzag(monkeypatch, MemoryError("rows do not fit"))
    given = accelerator(CORE, "ws", "bf16", "tpu-like", technology, hbm_bytes=1 << 30)
    with pytest.raises(InputError, match=r"finds no mapping of 40 × 33 × 20 .*rows do not fit"):
        evaluate(given, mapping(CORE, "ws"), layer("x", 0, 40, 33, 20, "bf16"))


@pytest.mark.parametrize("module", ["zigzag", "zigzag.opt.loma.engine"])
def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, technology: Technology, module: str) -> None:
    fake_zigzag(monkeypatch, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"needs ZigZag .* is missing\): pip install 'accmine\[zigzag\]'"):
        zigzag_rows([work(8, 8, 8)], CORE, technology)


@pytest.mark.full
@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_the_tool_itself_agrees_on_folds_and_traffic(technology: Technology, dataflow: str) -> None:
    pytest.importorskip("zigzag")
    core = replace(CORE, dataflow=dataflow)
    for m, k, n in ((8, 8, 8), (40, 33, 20), (64, 64, 64)):
        given = accelerator(core, dataflow, "bf16", "tpu-like", technology, hbm_bytes=1 << 30)
        twice = [evaluate(given, mapping(core, dataflow), layer("x", 0, m, k, n, "bf16"), 4) for _ in range(2)]
        assert twice[0] == twice[1]  # deterministic
        got = twice[0]
        rows, cols = {"ws": (k, n), "is": (k, m), "os": (m, n)}[dataflow]
        stream = {"ws": m, "is": n, "os": k}[dataflow]
        assert got.temporal_cycles == ceil(rows / 16) * ceil(cols / 8) * stream
        assert got.drain_cycles == min(rows, 16) + min(cols, 8) - 2
        assert got.stall_cycles >= 0
        assert got.hbm_bytes >= 2 * (m * k + k * n + m * n)
        assert got.mac_pj == pytest.approx(m * k * n * mac_pj("bf16", resolve_timing("tpu-like"), technology))


@pytest.mark.full
def test_the_tool_fills_a_file_once(technology: Technology, tmp_path: Path) -> None:
    pytest.importorskip("zigzag")
    cache = tmp_path / "zigzag.csv"
    first = zigzag_rows([work(40, 33, 20, batch=2)], CORE, technology, cache=cache, lpf_limit=4)

    def none(*_: Any) -> Evaluation:
        raise AssertionError("must not run")

    assert zigzag_rows([work(40, 33, 20, batch=2)], CORE, technology, cache=cache, lpf_limit=4, runner=none) == first
    assert zigzag.VERSION in first[0].source
