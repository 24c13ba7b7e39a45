"""Inputs: every file is read once, every complaint comes at once and with its place, what is not covered is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.plan import make_plan
from accmine.study import LoadedStudy, load_study, read_inputs, study_hash
from tests.samples.search_sample import BASE, MODELS, pipeline, study_text

ACCELERGY = Path(__file__).parents[1] / "data" / "accelergy"


def loaded(folder: Path, *overrides: str, **keys: Any) -> LoadedStudy:
    """A study with files of its own in ``folder``."""
    for name, text in {"base": BASE, "gpt": f"name: gpt\n{MODELS['gpt']}"}.items():
        if not (folder / f"{name}.yaml").exists():
            (folder / f"{name}.yaml").write_text(text)
    (folder / "tiny.yaml").write_text(study_text(**keys))
    own = ["workloads.0.use=gpt.yaml", "accelerator.use=base.yaml", "baseline=base.yaml", "baselines=[base.yaml]"]
    return load_study(folder / "tiny.yaml", [*own, *overrides])


def complaints(asked: LoadedStudy) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_inputs(asked)
    return [str(complaint) for complaint in caught.value.complaints]


def test_a_plan_needs_no_file(tmp_path: Path) -> None:
    asked = loaded(tmp_path, **pipeline(2))
    inputs = read_inputs(asked)
    before = study_hash(asked.study)
    for path in tmp_path.iterdir():
        path.unlink()
    plan = make_plan(asked.study, inputs)
    assert len(plan.tasks) == 2
    assert plan.pipelines[0].transfer_s[0][0] > 0
    assert plan.inputs.baselines == ((str(tmp_path / "base.yaml"), plan.baseline),)
    assert study_hash(asked.study, inputs.content) == before


def test_every_complaint_of_every_file_at_once(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("tensor_cores: 2", "tensor_cores: none"))
    (tmp_path / "gpt.yaml").write_text("family: gpt2\nlayers: -1\n")
    (tmp_path / "links.yaml").write_text("name: mine\nlink: 1\n")
    (tmp_path / "tech.yaml").write_text("name: mine\n")
    found = complaints(
        loaded(tmp_path, "technology=tech.yaml", "system={cluster: links.yaml}", "parallel={pipeline: 2}")
    )
    for name in ("base.yaml:", "gpt.yaml:", "links.yaml:", "tech.yaml"):
        assert any(name in line for line in found), name


def test_the_hash_covers_the_tables_of_a_technology(tmp_path: Path) -> None:
    for file in ACCELERGY.iterdir():
        shutil.copy(file, tmp_path)
    asked = loaded(tmp_path, "technology=technology.yaml")
    before = study_hash(asked.study)
    table = tmp_path / "ERT.yaml"
    table.write_text(table.read_text() + "\n# another\n")
    assert study_hash(asked.study) != before


CLOCK = "the energies of tpu-16nm hold up to 940 MHz (no voltage model above); allowed: at most 940 MHz"
COVER = "technologies that cover it: accelerator-16nm, accelerator-7nm, accelerator-5nm"
GIVEN = "technology=tpu-16nm"


def test_a_clock_beyond_the_technology_is_told_in_one_way_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "fast.yaml").write_text(BASE.replace("frequency: 700 MHz", "frequency: 1 GHz"))
    where = {
        "accelerator.frequency=1 GHz": "--set accelerator.frequency=1 GHz: accelerator.frequency: a clock of 1000 MHz",
        "accelerator={use: fast.yaml}": f"{tmp_path / 'fast.yaml'}:13:12: frequency: a clock of 1000 MHz",
        "baseline=fast.yaml": f"--set baseline=fast.yaml: baseline: {tmp_path / 'fast.yaml'}: a clock of 1000 MHz",
    }
    for change, start in where.items():
        (line,) = complaints(loaded(tmp_path, change, GIVEN))
        assert line == f"{start}: {CLOCK}; {COVER}"
    (line,) = complaints(loaded(tmp_path, "accelerator={use: h100}", GIVEN))
    assert "accelerator: technology tpu-16nm: no energy of a multiply-accumulate in fp8" in line
    assert line.endswith("technologies that cover it: accelerator-5nm")
    inputs = read_inputs(loaded(tmp_path, "baselines=[fast.yaml, base.yaml]"))
    assert [name for name, _ in inputs.baselines] == [str(tmp_path / "base.yaml")]
    (note,) = inputs.left_out
    assert note.startswith("baselines: ")
    assert CLOCK in note


@pytest.mark.parametrize("in_file", [False, True])
def test_values_that_the_technology_does_not_cover_are_left_out(in_file: bool, tmp_path: Path) -> None:
    clocks = "[700 MHz, 940 MHz, 1 GHz, 2 GHz]"
    (tmp_path / "many.yaml").write_text(BASE.replace("frequency: 700 MHz", f"frequency: {clocks}"))
    change = "accelerator={use: many.yaml}" if in_file else f"accelerator.frequency={clocks}"
    inputs = read_inputs(loaded(tmp_path, change))
    assert inputs.template.frequency_hz == (700 * 10**6, 940 * 10**6)
    (note,) = inputs.left_out
    assert "1 GHz, 2 GHz left out" in note
    assert ("many.yaml:13:12" in note) is in_file
    assert read_inputs(loaded(tmp_path)).left_out == ()


@pytest.mark.parametrize("cache", ["~no-such-user-here/x.csv", "~no-such-user-here"])
def test_a_cache_in_the_home_of_nobody_is_refused_at_its_place(cache: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cost\.cache: no file can have this name: '~no-such-user-here") as error:
        read_inputs(loaded(tmp_path, "cost.use=zigzag", f"cost.cache={cache}"))
    assert len(error.value.complaints) == 1


FAST_CLOCKS = {"frequency: 700 MHz": "frequency: 1 GHz"}


def chip(folder: Path, name: str, changes: dict[str, str], *lines: str) -> None:
    text = BASE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / f"{name}.yaml").write_text("\n".join([text, *lines]) + "\n")


def test_a_technology_is_chosen_by_what_the_chips_need_and_told(tmp_path: Path) -> None:
    chip(tmp_path, "fast", FAST_CLOCKS)
    chip(tmp_path, "seven", FAST_CLOCKS, "technology: accelerator-7nm")
    chip(tmp_path, "fp8", {}, "tensor_rates: {fp8: 2}")
    default = read_inputs(loaded(tmp_path))
    assert (default.technology.name, default.left_out) == ("tpu-16nm", ())
    assert default.variant is not None
    clock = "a clock of 1000 MHz: the energies of tpu-16nm hold up to 940 MHz"
    fp8 = "technology tpu-16nm: no energy of a multiply-accumulate in fp8"
    for change, name, why in (
        ("accelerator={use: fast.yaml}", "accelerator-16nm", clock),
        ("accelerator={use: seven.yaml}", "accelerator-7nm", clock),
        ("baseline=seven.yaml", "accelerator-7nm", clock),
        ("accelerator.frequency=1 GHz", "accelerator-16nm", clock),
        ("accelerator={use: fp8.yaml}", "accelerator-7nm", fp8),
        ("accelerator={use: h100}", "accelerator-5nm", fp8),
    ):
        inputs = read_inputs(loaded(tmp_path, change))
        assert inputs.technology.name == name, change
        (note,) = inputs.left_out
        assert note.startswith(f"technology: {name} is taken, as the study names none: {why}")


def test_what_a_given_technology_does_not_know_names_those_that_do(tmp_path: Path) -> None:
    chip(tmp_path, "tf32", {}, "tensor_rates: {tf32: 0.5}")
    chip(tmp_path, "shared", {}, "shared_sram: 3 MiB", "port_bandwidth: 10 GB/s")
    all_of = "accelerator-45nm, accelerator-28nm, accelerator-22nm, accelerator-16nm, tpu-16nm, tpu-16nm-multiplier, "
    tf32 = "technology accelerator-16nm: no energy of a multiply-accumulate in tf32 (constant power.mac_tf32_pj)"
    newer = "technologies that cover it: accelerator-7nm, accelerator-5nm"
    (line,) = complaints(loaded(tmp_path, "accelerator={use: tf32.yaml}", "technology=accelerator-16nm"))
    assert line == f"--set accelerator={{use: tf32.yaml}}: accelerator: {tf32}; {newer}"
    (line,) = complaints(loaded(tmp_path, "baseline=tf32.yaml", "technology=accelerator-16nm"))
    assert line == f"--set baseline=tf32.yaml: baseline: {tmp_path / 'tf32.yaml'}: {tf32}; {newer}"
    found = complaints(loaded(tmp_path, "accelerator={use: shared.yaml}", "technology=phaze-22nm"))
    (memory,) = [line for line in found if "global buffer (shared_sram) of 3145728 bytes" in line]
    assert memory.startswith(f"{tmp_path / 'shared.yaml'}:")
    assert memory.endswith(f"technologies that cover it: {all_of}accelerator-7nm, accelerator-5nm")
    (line,) = complaints(loaded(tmp_path, "accelerator.frequency=3 GHz", "technology=accelerator-5nm"))
    assert line.endswith("allowed: at most 2100 MHz; no shipped technology covers it")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("accelerator={use: h100-like}", "accelerator.use: h100-like"),
        ("baseline=h100-like", "baseline: h100-like"),
        ("baselines=[base.yaml, a100-like]", "baselines.1: a100-like"),
    ],
)
def test_nothing_is_compared_with_an_anchor_of_a_peak(change: str, place: str, tmp_path: Path) -> None:
    (line,) = complaints(loaded(tmp_path, change))
    assert line.startswith("--set ")
    assert f"{place} is an anchor of a published peak only (anchor: peak)" in line
    assert line.endswith("take h100" if "h100" in place else "take a100-40gb")


def test_types_of_products_have_a_rate_or_a_rule_that_is_told(tmp_path: Path) -> None:
    dtype = "workloads.0.dtype"
    chip(tmp_path, "tf32", {}, "tensor_rates: {tf32: 0.5}")
    own = ["accelerator={use: tf32.yaml}", "baseline=tf32.yaml", f"{dtype}=tf32"]
    assert read_inputs(loaded(tmp_path, *own, "baselines=[]")).technology.name == "accelerator-7nm"
    (line,) = complaints(loaded(tmp_path, *own[:2], "baseline=base.yaml", f"{dtype}=tf32", "baselines=[]"))
    assert f"{dtype}: {tmp_path / 'base.yaml'}: the arrays state no rate for tf32; allowed: bf16, fp16, fp32" in line
    (_, note) = read_inputs(loaded(tmp_path, *own)).left_out
    assert note.startswith(f"baselines: {tmp_path / 'base.yaml'}: the arrays state no rate for tf32")
    told = read_inputs(loaded(tmp_path, f"{dtype}=fp32")).left_out
    assert len(told) == 2
    assert told[0] == "accelerator: no rate for fp32 is stated (tensor_rates): it is multiplied as 3 bf16 products"


def test_a_cluster_joins_all_devices(tmp_path: Path) -> None:
    level = "{name: node, devices: 2, bandwidth: 1 GB/s, latency: 1 us}"
    (tmp_path / "links.yaml").write_text(f"name: mine\nlevels: [{level}]\n")
    found = complaints(loaded(tmp_path, "system={cluster: links.yaml}", "parallel={pipeline: 3}"))
    assert any("system.cluster: 3 devices are disconnected: node" in line for line in found), found
