"""``accmine cost``: what it prints, its sums, its files, and every way of saying no."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from accmine import cli
from accmine.errors import InputError
from accmine.hardware import dump_design, load_accelerator
from accmine.questions.cost.measure import BATCH, MICROBATCH, batches, cost_step
from accmine.questions.cost.report import LONGEST, csv_text, render, to_json
from accmine.study import StudyWorkload
from accmine.workload import TransformerConfig, load_model
from tests.samples.search_sample import MODELS, design

SUMS = ("step_cycles", "step_macs", "step_inserted_macs", "step_hbm_bytes", "step_energy_fj")


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["cost", *(str(argument) for argument in arguments)])
    return int(caught.value.code or 0)


STRIDED = """
name: strided
family: convnet
image: 8
layers:
  - conv: {out: 8, kernel: 3, stride: 2}
  - relu
  - linear: {out: 10}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two models and a design."""
    monkeypatch.chdir(tmp_path)
    for name, text in MODELS.items():
        Path(f"{name}.yaml").write_text(f"name: {name}\n{text}")
    Path("strided.yaml").write_text(STRIDED)
    Path("d.yaml").write_text(dump_design(design(4, 2)))
    return tmp_path


def table(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    assert call(*arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_table_and_its_sums(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = table(capsys, "gpt.yaml", "--design", "d.yaml", "--batch", "8", "--microbatch", "2")
    assert found["microbatches"] == 4
    for key in SUMS:
        assert sum(row[key] for row in found["rows"]) == found["step"][key]
        assert sum(phase[key] for phase in found["phases"]) == found["step"][key]
    for row in found["rows"]:
        for own, of_all in (("duration_cycles", "step_cycles"), ("hbm_bytes", "step_hbm_bytes"), ("macs", "step_macs")):
            assert row["count"] * row[own] == row[of_all]
        assert row["duration_s"] * found["frequency_hz"] == pytest.approx(row["duration_cycles"])
    assert sum(row["share"] for row in found["rows"]) == pytest.approx(1)
    assert math.fsum(row["step_energy_j"] for row in found["rows"]) == pytest.approx(found["step"]["step_energy_j"])
    assert found["roofline"]["tensor_flop_per_s"] == design(4, 2).peak_flops_per_s


def test_text_of_a_long_table_has_the_longest_rows_and_one_of_the_others(folder: Path) -> None:
    step = cost_step("gpt.yaml", "d.yaml", options={"split": "heads", "fusion": "none"})
    assert len(step.table.rows) > LONGEST + 1
    printed, everything = render(step), render(step, everything=True)
    assert f"other ({len(step.table.rows) - LONGEST} rows)" in printed
    assert "other (" not in everything
    assert len(everything.split("\n\n")[1].splitlines()) == len(step.table.rows) + 1
    assert len(printed.split("\n\n")[1].splitlines()) == LONGEST + 2
    for total in (*step.table.phases, step.table.step):
        assert f"{total.cycles:,}" in printed
        assert f"{total.hbm_bytes:,}" in printed
    assert "not the makespan" in printed
    assert "ridge" in printed
    assert max(map(len, (line for block in printed.split("\n\n")[3:] for line in block.splitlines()))) <= 140


def test_the_header_says_where_values_come_from(folder: Path) -> None:
    printed = render(cost_step("gpt.yaml", "d.yaml", options={"batch": 4, "optimizer": "sgd"}))
    assert "Given: batch 4, optimizer sgd." in printed
    assert "Defaults: microbatch 4, precision mixed, dtype bf16" in printed
    assert "The model's own: sequence 8." in printed
    given = render(cost_step("mlp.yaml", "d.yaml", options={"image": 8}))
    assert "Given: image 8." in given
    assert "split heads" not in given  # an image model has no attention
    assert "The model's own" not in given


def test_batches() -> None:
    assert batches(None, None) == (BATCH, MICROBATCH)
    assert batches(12, None) == (12, 6)
    assert batches(7, None) == (7, 7)
    assert batches(13, None) == (13, 1)
    assert batches(None, 4) == (32, 4)
    assert batches(None, 12) == (48, 12)
    assert batches(10, 4) == (10, 4)  # refused later, not changed
    for batch in range(1, 70):
        _, micro = batches(batch, None)
        assert batch % micro == 0
        total, _ = batches(None, batch)
        assert total % batch == 0


def test_options_are_those_of_a_study(folder: Path) -> None:
    known = {"batch", "microbatch", "sequence", "image", "masked", "optimizer", "precision", "dtype", "recompute"}
    known |= {"attention", "split", "fusion"}
    assert set(StudyWorkload.model_fields) == known | {"use", "name", "weight"}
    step = cost_step("gpt.yaml", "d.yaml")
    plain = StudyWorkload(use="gpt.yaml", batch=1)
    for setting in step.settings:
        if setting.source == "default" and setting.name in known - {"batch", "microbatch", "attention", "precision"}:
            assert setting.value == getattr(plain, setting.name)
    settings = {s.name: (s.value, s.source) for s in step.settings}
    assert settings["precision"] == ("mixed", "default")
    assert "masked" not in settings
    pure = {s.name: s.value for s in cost_step("bert-base", "d.yaml", options={"precision": "pure-bf16"}).settings}
    assert (pure["masked"], pure["precision"]) == (0.15, "pure-bf16")
    with pytest.raises(InputError, match="unknown option seed"):
        cost_step("gpt.yaml", "d.yaml", options={"seed": 1})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch", 4),
        ("microbatch", 2),
        ("sequence", 4),
        ("optimizer", "sgd"),
        ("dtype", "fp32"),
        ("recompute", "full"),
        ("attention", "materialised"),
        ("split", "none"),
        ("fusion", "none"),
        ("timing", "scalesim3"),
        ("operator_split", "none"),
    ],
)
def test_every_option_changes_the_table(folder: Path, option: str, value: Any) -> None:
    # long enough that the array counts
    base = cost_step("gpt.yaml", "d.yaml", options={"sequence": 16})
    changed = cost_step("gpt.yaml", "d.yaml", options={"sequence": 16, option: value})
    assert changed.table.step != base.table.step or len(changed.table.rows) != len(base.table.rows)


def test_fused_attention_is_a_row_with_the_sizes_of_its_scores(folder: Path) -> None:
    step = cost_step("gpt.yaml", "d.yaml", options={"microbatch": 2})
    rows = {row["kind"]: row for row in to_json(step)["rows"] if row["kind"].startswith("attention")}
    config = load_model(folder / "gpt.yaml").config
    assert isinstance(config, TransformerConfig)
    tokens = load_model(folder / "gpt.yaml").sequence or 0
    size = (tokens, config.head_width, tokens, 2 * config.heads)
    for kind, products in (("attention", 2), ("attention-backward", 5)):
        assert tuple(rows[kind][key] for key in ("m", "k", "n", "batch")) == size
        assert rows[kind]["macs"] == products * 2 * config.heads * tokens * (tokens + 1) // 2 * config.head_width
        assert rows[kind]["tensor_cores"] >= 1
        assert rows[kind]["vector_cores"] >= 1
    m, k, n, batch = size
    assert f"{batch}·{m}×{k}×{n}" in render(step, everything=True)
    wide = to_json(cost_step("gpt.yaml", "d.yaml", options={"attention": "materialised"}))["rows"]
    assert not any(row["kind"].startswith("attention") for row in wide)


def test_residency_needs_a_shared_sram(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--design", "d.yaml", "--residency", "shared-sram")
    assert call("gpt.yaml", *options) == 2
    assert "no design has a shared SRAM" in capsys.readouterr().err
    Path("sh.yaml").write_text(dump_design(replace(design(4, 2), shared_sram_bytes=1 << 20, port_bytes_per_s=10**11)))
    kept = cost_step("gpt.yaml", "sh.yaml", options={"residency": "shared-sram"})
    plain = cost_step("gpt.yaml", "sh.yaml", options={"residency": "none"})
    assert kept.table.step.hbm_bytes < plain.table.step.hbm_bytes
    assert kept.table.step.macs == plain.table.step.macs
    assert cost_step("gpt.yaml", "sh.yaml").table.step == plain.table.step


def test_a_technology_changes_energies_only(folder: Path) -> None:
    here, there = (cost_step("gpt.yaml", "d.yaml", name) for name in ("tpu-16nm", "accelerator-7nm"))
    assert here.table.step.cycles == there.table.step.cycles
    assert here.table.step.energy_fj != there.table.step.energy_fj
    without = cost_step("gpt.yaml", "d.yaml", "phaze-22nm")
    assert without.table.step.cycles == here.table.step.cycles
    assert without.table.step.energy_fj is None
    printed = render(without)
    assert "energy: n/a, technology phaze-22nm has no energies." in printed
    assert to_json(without)["no_energy"] == "technology phaze-22nm has no energies"
    assert "1.0 J" not in printed


def test_energies_beyond_their_clock_are_not_printed(folder: Path) -> None:
    text = dump_design(design(4, 2)).replace("700 MHz", "2000 MHz")
    Path("fast.yaml").write_text(text)
    step = cost_step("mlp.yaml", "fast.yaml", "tpu-16nm")
    assert (
        "hold up to 940 MHz, the design runs at 2000 MHz; technologies that cover it: accelerator-5nm" in step.no_energy
    )
    assert (cost_step("mlp.yaml", "fast.yaml").technology, cost_step("mlp.yaml", "tpuv2-like").technology) == (
        "accelerator-5nm",
        "tpu-16nm",
    )
    assert step.table.step.energy_fj is None


def test_skipped_zeros_have_a_column_where_there_are_any(folder: Path) -> None:
    strided, plain = render(cost_step("strided.yaml", "d.yaml")), render(cost_step("mlp.yaml", "d.yaml"))
    assert "zeros" in strided
    assert "zeros" not in plain
    assert cost_step("strided.yaml", "d.yaml").table.step.inserted > 0


def test_what_does_not_fit_is_said(folder: Path) -> None:
    Path("wide.yaml").write_text(Path("gpt.yaml").read_text().replace("width: 32", "width: 256"))
    small = dump_design(design(4, 2, dim=512, hbm=1 << 20)).replace("tensor_sram: 64 KiB", "tensor_sram: 1 KiB")
    assert "1 KiB" in small
    Path("small.yaml").write_text(small)
    step = cost_step("wide.yaml", "small.yaml")
    memory, tiles = step.warnings
    assert "GiB of HBM on one device" in memory
    least = max(row.least_sram_bytes for row in step.table.rows)
    assert f"SRAM of 1,024 bytes in {sum(bool(r.least_sram_bytes) for r in step.table.rows)} of" in tiles
    assert "stream element by element" in tiles
    assert f"From {least:,} bytes on" in tiles
    assert render(step).count("Warning: ") == 2
    Path("enough.yaml").write_text(small.replace("1 KiB", f"{least} B"))
    assert cost_step("wide.yaml", "enough.yaml").warnings == (memory,)
    Path("large.yaml").write_text(small.replace("1 KiB", f"{least} B").replace("hbm: 1 MiB", "hbm: 1 GiB"))
    assert cost_step("wide.yaml", "large.yaml").warnings == ()


def test_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("gpt.yaml", "--design", "d.yaml", "--csv", "out.csv", "--plot", "out.svg") == 0
    assert "sum of" in capsys.readouterr().out
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    found = table(capsys, "gpt.yaml", "--design", "d.yaml")
    assert [int(row["step_cycles"]) for row in rows] == [row["step_cycles"] for row in found["rows"]]
    assert list(rows[0]) == list(found["rows"][0])
    assert Path("out.svg").read_text().lstrip().startswith("<?xml")
    assert csv_text(cost_step("gpt.yaml", "d.yaml")) == Path("out.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gpt.yaml", "--design", "d.yaml", "--batch", "0"), "--batch: must be greater than or equal to 1, got 0"),
        (("gpt.yaml", "--design", "d.yaml", "--microbatch", "-2"), "--microbatch: must be"),
        (("gpt.yaml", "--design", "d.yaml", "--sequence", "0"), "--sequence: must be"),
        (("mlp.yaml", "--design", "d.yaml", "--image", "-1"), "--image: must be"),
        (("gpt.yaml", "--design", "d.yaml", "--batch", "9", "--microbatch", "2"), "--microbatch: 2 does not divide"),
        (
            ("gpt.yaml", "--design", "d.yaml", "--optimizer", "lion"),
            "--optimizer: must be one of sgd, adam, adamw",
        ),
        (("gpt.yaml", "--design", "d.yaml", "--dtype", "int4"), "--dtype: must be one of bf16, fp16, fp32, fp8, tf32"),
        (
            ("gpt.yaml", "--design", "d.yaml", "--recompute", "some"),
            "--recompute: must be one of none, selective, full",
        ),
        (("gpt.yaml", "--design", "d.yaml", "--split", "rows"), "--split: must be one of"),
        (("gpt.yaml", "--design", "d.yaml", "--attention", "flash"), "--attention: must be one of fused, materialised"),
        (
            ("gpt.yaml", "--design", "d.yaml", "--attention", "fused", "--split", "heads"),
            "--split: belongs to attention: materialised, not to attention: fused",
        ),
        (("gpt.yaml", "--design", "d.yaml", "--sequence", "99"), "--sequence: 99 tokens are more than the 16 learned"),
        (("gpt.yaml", "--design", "d.yaml", "--fusion", "all"), "--fusion: must be one of"),
        (("gpt.yaml", "--design", "d.yaml", "--timing", "fast"), "--timing: must be one of"),
        (("gpt.yaml", "--design", "d.yaml", "--residency", "all"), "--residency: must be one of none, shared-sram"),
        (("gpt.yaml", "--design", "nope", "--residency", "none"), "--design: unknown accelerator 'nope'"),
        (
            ("gpt.yaml", "--design", "d.yaml", "--operator-split", "odd"),
            "--operator-split: must be one of even, powers, none",
        ),
        (("bert-larg", "--design", "d.yaml"), "WORKLOAD: unknown workload 'bert-larg'; did you mean 'bert-large'"),
        (("gpt.yaml", "--design", "tpuv2"), "--design: unknown accelerator 'tpuv2'"),
        (("gpt.yaml", "--design", "wham"), "a design needs one value here; this file is a template"),
        (("gpt.yaml", "--design", "d.yaml", "--technology", "3nm"), "--technology: unknown technology '3nm'"),
        (("gpt.yaml", "--design", "d.yaml", "--csv", "no/x.csv"), "--csv: cannot write no/x.csv"),
        (("gpt.yaml", "--design", "d.yaml", "--graph", "no/x.graphml"), "--graph: cannot write no/x.graphml"),
        (("gpt.yaml", "--design", "d.yaml", "--plot", "x.txt"), "unknown ending of a chart"),
        (("mlp.yaml", "--design", "d.yaml", "--sequence", "8"), "--sequence: mlp is a model of images"),
    ],
)
def test_bad_input_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert call(*arguments) == 2
    assert message in capsys.readouterr().err


def test_all_complaints_come_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = ("--batch", "0", "--dtype", "x", "--design", "none", "--technology", "none")
    assert call("gpt.yaml", *bad) == 2
    printed = capsys.readouterr().err
    assert all(option in printed for option in ("--batch", "--dtype", "--design", "--technology"))


def test_the_example_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    found = table(capsys, "bert-large", "--design", "tpuv2-like")
    assert found["settings"]["batch"] == 32
    assert found["settings"]["sequence"] == 512
    assert set(found["defaults"]) == set(found["settings"])
    chip = load_accelerator("tpuv2-like")
    assert found["step"]["step_macs"] * 2 / chip.peak_flops_per_s <= found["step"]["step_cycles"] / chip.frequency_hz
    # 6 FLOP per parameter and token, and attention
    tokens = 32 * 512
    assert 6 < 2 * found["step"]["step_macs"] / (334e6 * tokens) < 8
    assert {row["bound_by"] for row in found["rows"]} <= {"array", "vector", "port", "hbm", "launch"}


def test_the_graph_of_a_step_is_read_back_as_it_was(folder: Path) -> None:
    options = ("--batch", "8", "--microbatch", "4", "--fusion", "none")
    assert call("gpt.yaml", "--design", "d.yaml", *options, "--graph", "out.graphml") == 0
    task = cost_step("gpt.yaml", "d.yaml", options={"batch": 8, "microbatch": 4, "fusion": "none"}).task
    read, operators = (
        nx.read_graphml("out.graphml"),
        {o.name: o for phase in task.phases for o in phase.graph.operators},
    )
    assert set(read.nodes) == set(operators)
    for name, values in read.nodes(data=True):
        operator = operators[name]
        assert (values["kind"], values["phase"]) == (operator.kind, operator.phase)
        assert values["macs"] == operator.work.macs
        assert values["bytes"] == operator.work.bytes_in + operator.work.bytes_out
        assert values["runs"] == (1 if operator.phase == "update" else 2)
        assert values["layer"]
    inside = {
        (phase.graph.operators[a].name, phase.graph.operators[b].name)
        for phase in task.phases
        for a, b in phase.graph.edges.tolist()
    }
    assert inside <= set(read.edges)
    updates = {o.name for o in operators.values() if o.phase == "update"}
    assert {b for _, b in set(read.edges) - inside} == updates
    assert all(read.in_degree(name) == 1 for name in updates)
    assert nx.is_directed_acyclic_graph(read)


def test_rates_of_a_chip_are_its_roof_and_what_is_not_stated_is_said(folder: Path) -> None:
    text = dump_design(design(4, 2)).replace("vector_cores: 2", "tensor_rates: {tf32: 0.5}\nvector_cores: 2")
    Path("rated.yaml").write_text(text)
    plain, tf32 = (cost_step("mlp.yaml", "rated.yaml", options={"dtype": dtype}) for dtype in ("bf16", "tf32"))
    assert tf32.table.roof.tensor_flops_per_s == plain.table.roof.tensor_flops_per_s / 2
    assert (tf32.technology, tf32.no_energy, tf32.unstated) == ("accelerator-7nm", "", ())
    for step in (plain, tf32):
        assert all((row.utilization or 0) <= 1 for row in step.table.rows)
        assert all(row.reached_flops_per_s <= row.attainable_flops_per_s * (1 + 1e-12) for row in step.table.rows)
        assert 0 < step.table.utilization <= 1
    products = [row for row in tf32.table.rows if row.work.uses_tensor]
    assert products
    assert {row.work.dtype for row in products} == {"tf32"}
    fp32 = cost_step("mlp.yaml", "rated.yaml", options={"dtype": "fp32"})
    (sentence,) = fp32.unstated
    assert sentence == "no rate for fp32 is stated (tensor_rates): it is multiplied as 3 bf16 products"
    assert f"{sentence}." in render(fp32)
    assert to_json(fp32)["unstated"] == [sentence]
    assert fp32.table.step.cycles > tf32.table.step.cycles > plain.table.step.cycles
    # without energies of tf32 cycles are all the same
    other = cost_step("mlp.yaml", "rated.yaml", "tpu-16nm", {"dtype": "tf32"})
    assert other.table.step.cycles == tf32.table.step.cycles
    assert other.table.step.energy_fj is None
    assert other.no_energy.endswith("technologies that cover it: accelerator-7nm, accelerator-5nm")


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("h100-like", "bf16", "--design: h100-like is an anchor of a published peak only (anchor: peak)"),
        ("d.yaml", "tf32", "--dtype: d.yaml: the arrays state no rate for tf32"),
    ],
)
def test_what_has_no_times_is_refused(folder: Path, name: str, dtype: str, message: str) -> None:
    Path("d.yaml").write_text(dump_design(design(4, 2)))
    with pytest.raises(InputError) as caught:
        cost_step("mlp.yaml", name, options={"dtype": dtype})
    assert message in str(caught.value)
