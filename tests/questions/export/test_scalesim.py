"""Exports to SCALE-Sim: its formats, what is compared, and the tool's own runs where it is installed."""

from __future__ import annotations

import configparser
import csv
import io
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from accmine.cost import PRESETS, array_cycles, array_folds, resolve_timing
from accmine.errors import InputError
from accmine.hardware import Design, TensorCore, VectorCore
from accmine.questions.export import scalesim
from accmine.questions.export.operators import ExportedOperator, RunAnswer, Winner
from accmine.workload.work import Gemm, Vector, Work
from tests.samples.export_sample import answer, baseline, make_run, without

DESIGN = Design(
    tensor_cores=2,
    tensor=TensorCore(16, 8, 96 << 10, "ws"),
    vector_cores=1,
    vector=VectorCore(8, 2, 32 << 10),
    hbm_bytes=16 << 30,
    hbm_bytes_per_s=700 * 10**9,
    frequency_hz=700 * 10**6,
)


def operator(
    m: int,
    k: int,
    n: int,
    *,
    batch: int = 1,
    a_elements: int | None = None,
    vector: tuple[Vector, ...] = (),
    dtype: str = "bf16",
    dataflow: str = "ws",
    cores: int = 1,
    number: int = 0,
) -> ExportedOperator:
    gemm = Gemm(m, k, n, batch, a_elements or batch * m * k, batch * k * n, batch * m * n)
    label = f"op{number}_layer"
    return ExportedOperator(f"layer.{number}", label, Work(gemm, vector, 1, 1, dtype), 3, cores, 99, dataflow, 77)


def of(tmp_path: Path, operators: Sequence[ExportedOperator], design: Design = DESIGN, **keys: Any) -> RunAnswer:
    """An answer with these operators; the rest is that of a tiny study."""
    return replace(answer(tmp_path, **keys), winners=(Winner("design", design, ("mlp",), tuple(operators), (), 10**6),))


def read_config(text: str) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read_string(text)
    return config


def closed_form(configuration: str, topology: str, layout: str) -> list[int]:
    """SCALE-Sim by its closed form, from the text of the files alone."""
    config = read_config(configuration)["architecture_presets"]
    R, C, flow = int(config["ArrayHeight"]), int(config["ArrayWidth"]), config["Dataflow"]
    labels = [row[0] for row in csv.reader(io.StringIO(layout))][1:]
    found = []
    for row in list(csv.reader(io.StringIO(topology)))[1:]:
        label, M, N, K = row[0], *map(int, row[1:4])
        assert label in labels
        rows, cols, stream, load = {"ws": (K, N, M, R), "is": (K, M, N, R), "os": (M, N, K, 0)}[flow]
        found.append(-(-rows // R) * -(-cols // C) * (stream + load + R + C - 2) - 1)
    return found


def test_configuration_is_what_the_tool_reads() -> None:
    config = read_config(scalesim.configuration(DESIGN, "os", 2))
    assert config["general"]["run_name"] == "accmine_os"
    assert dict(config["run_presets"]) == {"interfacebandwidth": "CALC", "useramulatortrace": "False"}
    presets = config["architecture_presets"]
    assert (int(presets["ArrayHeight"]), int(presets["ArrayWidth"]), presets["Dataflow"]) == (16, 8, "os")
    # 96 KiB: a third each, in elements of two bytes.
    assert {presets[f"{x}SramSzkB"] for x in ("Ifmap", "Filter", "Ofmap")} == {"16"}
    assert int(presets["Bandwidth"]) == 500  # 1000 B per cycle
    assert not config.getboolean("layout", "IfmapCustomLayout")
    assert not config.getboolean("layout", "FilterCustomLayout")
    assert config["sparsity"]["SparsitySupport"] == "false"


def test_a_tiny_sram_still_has_a_size() -> None:
    tiny = replace(DESIGN, tensor=replace(DESIGN.tensor, sram_bytes=64))
    assert read_config(scalesim.configuration(tiny, "ws", 4))["architecture_presets"]["IfmapSramSzkB"] == "1"


def test_topology_and_layout_are_what_the_tool_reads() -> None:
    products = [("op0_a", 512, 64, 128), ("op1_b", 7, 8, 9)]
    assert scalesim.topology(products) == "Layer,M,N,K,\nop0_a,512,128,64,\nop1_b,7,9,8,\n"
    rows = list(csv.reader(io.StringIO(scalesim.layout(products))))
    assert {len(row) for row in rows} == {22}  # 21 columns, and the empty one after the last comma
    assert [row[0] for row in rows[1:]] == ["op0_a", "op1_b"]
    assert {cell for row in rows[1:] for cell in row[1:-1]} == {"1"}


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_cutting_down_keeps_the_last_fold_and_the_cycles_of_a_fold(dataflow: str) -> None:
    random.seed(dataflow)
    for _ in range(300):
        rows, cols = random.choice([1, 4, 16, 128]), random.choice([1, 8, 16, 256])
        m, k, n = whole = random.randint(1, 3000), random.randint(1, 3000), random.randint(1, 3000)
        a, b, c = cut = scalesim.cut_down(m, k, n, rows, cols, dataflow)
        assert all(0 < small <= large for small, large in zip(cut, whole, strict=True))
        few, short = map(int, array_folds(a, b, c, rows, cols, dataflow))
        folds, stream = map(int, array_folds(m, k, n, rows, cols, dataflow))
        assert few <= 4
        assert few <= folds
        assert short == min(stream, scalesim.MOST_STREAM)
        along = {"ws": ((1, rows), (2, cols)), "is": ((1, rows), (0, cols)), "os": ((0, rows), (2, cols))}[dataflow]
        for axis, unit in along:
            assert (cut[axis] - whole[axis]) % unit == 0  # the last fold is as full as it was
        short_count = int(array_cycles(a, b, c, 1, rows, cols, dataflow, "scalesim3")) + 1
        count = int(array_cycles(m, k, n, 1, rows, cols, dataflow, "scalesim3")) + 1
        assert (short_count % few, count % folds) == (0, 0)
        assert short_count // few + stream - short == count // folds


@pytest.mark.parametrize("timing", list(PRESETS))
@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_timing_steps_add_up_to_the_whole_difference(timing: str, dataflow: str) -> None:
    random.seed(timing + dataflow)
    chosen = replace(resolve_timing(timing), last_index=False)
    for _ in range(40):
        m, k, n, batch = (random.randint(1, size) for size in (300, 300, 300, 12))
        dtype = random.choice(["bf16", "fp32"])
        steps = scalesim.timing_steps(operator(m, k, n, batch=batch, dtype=dtype, dataflow=dataflow), 16, 8, chosen)
        products = batch * (chosen.fp32_passes if dtype == "fp32" else 1)
        ends = [
            int(array_cycles(m, k, n, number, 16, 8, dataflow, own))
            for number, own in ((batch, replace(PRESETS["scalesim3"], last_index=False)), (products, chosen))
        ]
        assert sum(cycles for _, _, cycles in steps) == ends[1] - ends[0]
        assert all(value != getattr(PRESETS["scalesim3"], name) for name, value, _ in steps)


def test_files_of_one_design(tmp_path: Path) -> None:
    made = scalesim.files(of(tmp_path, [operator(70, 33, 20), operator(8, 8, 8, number=1, batch=3)]))
    assert sorted(made) == ["README.txt", "layout_ws.csv", "scale_ws.cfg", "topology_ws.csv"]
    assert made["topology_ws.csv"] == "Layer,M,N,K,\nop0_layer,70,20,33,\nop1_layer,8,8,8,\n"
    readme = made["README.txt"]
    command = "python -m scalesim.scale -c scale_ws.cfg -t topology_ws.csv -l layout_ws.csv -i gemm -p out"
    assert command in readme
    # 3 · 3 folds of 70 + 2 · 16 + 8 − 2 cycles
    assert f"{9 * 108 - 1}" in readme
    assert "The study's timing is tpu-like; it differs from scalesim3 in weight_load_overlap" in readme


def test_files_of_several_designs_and_of_a_flexible_array(tmp_path: Path) -> None:
    one = of(tmp_path, [operator(9, 9, 9), operator(9, 99, 9, dataflow="os", number=1)])
    (winner,) = one.winners
    made = scalesim.files(replace(one, winners=(replace(winner, name="design-0"), replace(winner, name="design-1"))))
    names = {f"{part}_{flow}.{ending}" for flow in ("ws", "os") for part, ending in (("scale", "cfg"),)}
    names |= {f"{part}_{flow}.csv" for flow in ("ws", "os") for part in ("topology", "layout")}
    assert set(made) == {f"design-{i}/{name}" for i in (0, 1) for name in (*names, "README.txt")}
    assert read_config(made["design-0/scale_os.cfg"])["architecture_presets"]["Dataflow"] == "os"
    assert "op1_layer" not in made["design-0/topology_ws.csv"]


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_verified_cycles_equal_the_closed_form(tmp_path: Path, dataflow: str) -> None:
    random.seed(dataflow)
    own = [
        operator(*(random.randint(1, 900) for _ in range(3)), dataflow=dataflow, number=i, batch=1 + i % 3)
        for i in range(12)
    ]
    found = scalesim.verify(of(tmp_path, own), closed_form)
    assert len(found) == len(own)
    assert all(comparison.equal and comparison.ok and comparison.theirs == comparison.ours for comparison in found)
    assert {comparison.quantity for comparison in found} == {"Total Cycles"}


def test_one_cycle_too_many_is_not_equal(tmp_path: Path) -> None:
    def late(*texts: str) -> list[int]:
        return [cycles + 1 for cycles in closed_form(*texts)]

    (found,) = scalesim.verify(of(tmp_path, [operator(40, 40, 40)]), late)
    assert not found.ok
    assert found.theirs == found.ours + 1
    assert found.to_json()["difference"] == 1


def test_a_tool_that_loses_a_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reports 1 layers, 2 were given"):
        scalesim.verify(of(tmp_path, [operator(4, 4, 4), operator(5, 5, 5, number=1)]), lambda *_: [1])


def test_reasons_are_those_of_the_settings(tmp_path: Path) -> None:
    plain = operator(16, 16, 8)
    rich = operator(
        5000, 700, 90, batch=4, a_elements=999, vector=(Vector("gelu", 9), Vector("add", 9)), cores=2, number=1
    )
    same = of(tmp_path, [plain, rich], timing="scalesim3")
    few, many = (comparison.reasons for comparison in scalesim.verify(same, closed_form))
    assert few == ("both are the index of the last cycle: count - 1",)
    text = "\n".join(many)
    assert "ran 4 of 528 folds, 512 of 5000 streamed rows of 5000×700×90" in text
    assert "batch: the operator is 4 such products; SCALE-Sim runs one" in text
    assert f"SCALE-Sim sees {4 * 5000 * 700:,} elements of A, the tensor has 999" in text
    assert "fused vector part not in SCALE-Sim: gelu, add" in text
    assert "splits the operator over 2 cores: 99 cycles" in text
    assert "the study's timing" not in text
    other = of(tmp_path / "other", [plain], timing="rtl-simple")
    (reasons,) = (comparison.reasons for comparison in scalesim.verify(other, closed_form))
    assert "the study's timing has row_latency = 2: +16 cycles on the whole operator" in reasons
    assert "the study's timing has output_latency = 1: +1 cycles on the whole operator" in reasons


def fake_tool(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    """A module ``scalesim`` whose tool calls ``run`` with its keywords and the folder of the report."""

    class Tool:
        def __init__(self, **keywords: Any) -> None:
            print("chatter")
            self.keywords = keywords

        def run_scale(self, top_path: str) -> None:
            run(self.keywords, Path(top_path))

    module = ModuleType("scalesim.scale_sim")
    module.scalesim = Tool  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "scalesim", ModuleType("scalesim"))
    monkeypatch.setitem(sys.modules, "scalesim.scale_sim", module)


def test_the_report_of_the_tool_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(keywords: dict[str, Any], top: Path) -> None:
        assert keywords["input_type_gemm"] is True
        assert keywords["save_disk_space"] is True  # no traces
        texts = [Path(keywords[name]).read_text() for name in ("config", "topology", "layout")]
        folder = top / "accmine_ws"
        folder.mkdir(parents=True)
        lines = ["LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %,"]
        lines += [f"{i}, {2 * cycles}, {cycles}, 0, 51.2," for i, cycles in enumerate(closed_form(*texts))]
        (folder / "COMPUTE_REPORT.csv").write_text("\n".join(lines) + "\n")

    fake_tool(monkeypatch, run)
    found = scalesim.verify(of(tmp_path, [operator(40, 40, 40), operator(41, 9, 40, number=1)]))
    assert all(comparison.ok for comparison in found)
    assert capsys.readouterr().out == ""


def test_too_new_a_numpy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(keywords: dict[str, Any], top: Path) -> None:
        raise TypeError("only 0-dimensional arrays can be converted to Python scalars")

    fake_tool(monkeypatch, run)
    with pytest.raises(InputError, match=r"only 0-dim.*it needs numpy<2\.3: pip install 'accmine\[scalesim\]'"):
        scalesim.verify(of(tmp_path, [operator(4, 4, 4)]))


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without(monkeypatch, "scalesim")
    with pytest.raises(InputError, match=r"needs SCALE-Sim .*pip install 'accmine\[scalesim\]'"):
        scalesim.verify(of(tmp_path, [operator(4, 4, 4)]))


@pytest.mark.full
@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_the_tool_itself_agrees(tmp_path: Path, dataflow: str) -> None:
    pytest.importorskip("scalesim")
    random.seed(dataflow)
    own = [operator(*(random.randint(1, 200) for _ in range(3)), dataflow=dataflow, number=i) for i in range(6)]
    for design in (DESIGN, replace(DESIGN, tensor=TensorCore(4, 32, 8 << 10, dataflow))):
        found = scalesim.verify(of(tmp_path / design.name, own, design))
        assert all(comparison.ok for comparison in found), [comparison.to_json() for comparison in found]


@pytest.mark.full
def test_a_whole_run_agrees(tmp_path: Path) -> None:
    pytest.importorskip("scalesim")
    from accmine.questions.export.operators import read_run

    found = scalesim.verify(read_run(make_run(tmp_path, [baseline()], models=("gpt",))))
    assert len(found) == 10
    assert all(comparison.ok for comparison in found)


@pytest.mark.full
def test_the_command_of_the_readme_runs(tmp_path: Path) -> None:
    pytest.importorskip("scalesim")
    run = answer(tmp_path / "run", models=("gpt",))
    for name, text in scalesim.files(run).items():
        (tmp_path / name).write_text(text)
    (command,) = [
        line.split() for line in (tmp_path / "README.txt").read_text().splitlines() if "scalesim.scale" in line
    ]
    done = subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = csv.DictReader((tmp_path / "out/accmine_ws/COMPUTE_REPORT.csv").open(), skipinitialspace=True)
    reported = [int(float(row["Total Cycles"])) for row in rows]
    texts = [(tmp_path / name).read_text() for name in ("scale_ws.cfg", "topology_ws.csv", "layout_ws.csv")]
    assert reported == closed_form(*texts)
