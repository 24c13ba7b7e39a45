"""The study: what is read, what is refused and how, and that what is written is read back."""

from __future__ import annotations

import json
import re
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import dump, load_yaml, names, resolve, validate
from accmine.hardware import dump_design, load_accelerator
from accmine.study import (
    LoadedStudy,
    Study,
    as_mapping,
    effective,
    load_study,
    read_document,
    schema,
    study_hash,
    study_in,
    study_reference,
)
from accmine.study.inputs import referenced_files

MINIMAL = "name: t\nworkloads: [{use: bert-large, batch: 64}]\naccelerator: {use: wham}\n"
TWO = "name: t\nworkloads: [{use: bert-base, batch: 8}, {use: resnet-50, batch: 8}]\naccelerator: {use: wham}\n"


def read(text: str = MINIMAL, *overrides: str) -> Study:
    return validate(load_yaml(text=text, name="t.yaml", overrides=overrides), Study)


def complaint(text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text, *overrides)
    return str(caught.value)


TRAINING = [name for name in names("studies") if not name.startswith("sparse-")]


@pytest.mark.parametrize("name", [name for name in TRAINING if name != "wham-table"])  # over a suite
def test_shipped_studies_are_valid(name: str) -> None:
    loaded = study_in(*read_document(name))
    assert loaded.study.name == name
    assert loaded.study.description
    assert validate(load_yaml(text=effective(loaded.study)), Study) == loaded.study


def test_defaults() -> None:
    study = read()
    assert study.technology is None  # chosen by what the chips need
    assert study.workloads[0].name == "bert-large"
    assert study.workloads[0].microbatch == 64
    assert (study.mode, study.deployment, study.floor) == ("heterogeneous", "concurrent", None)
    assert study.device_limits.area_mm2(0) == 858.0
    assert study.device_limits.tdp_w(0) == study.limits.area_mm2(0) == study.limits.tdp_w(0) == inf
    assert (study.devices, study.parallel.pipeline, study.placed) == (1, 1, False)
    assert study.accelerator.mapping() == {"use": "wham"}


def test_several_workloads_on_one_device_share_a_design_by_default() -> None:
    assert (read(TWO).mode, read(TWO).deployment) == ("common", "time-shared")
    apart = read(TWO, "system={cluster: pcie-ring}", "parallel={pipeline: 2}")
    assert (apart.mode, apart.deployment) == ("heterogeneous", "concurrent")
    assert read(TWO, "mode=homogeneous").deployment == "concurrent"


def test_floor_defaults_to_the_baseline_where_it_applies() -> None:
    assert read(MINIMAL, "objective=throughput-per-tdp").floor == 1.0
    assert read(MINIMAL, "objective=throughput-per-tdp", "floor=0").floor == 0.0


def test_limits() -> None:
    limits = read(MINIMAL, "limits={area: baseline, tdp: 0.8 kW}").limits
    assert limits.area_mm2(611.0) == 611.0
    assert limits.tdp_w(1.0) == 800.0
    assert read(MINIMAL, "device_limits.area=none").device_limits.area_mm2(1) == inf


def test_critical_path_is_another_name() -> None:
    assert read(MINIMAL, "search.method=critical-path").search.method == "wham-like"


def test_equal_studies_are_written_alike() -> None:
    one = read(MINIMAL, "limits.area=400 mm2", "accelerator.hbm=32GiB", "accelerator.tensor_cores=1 .. 8")
    two = read(MINIMAL, "limits.area=4 cm^2", "accelerator.hbm=32768 MiB", "accelerator.tensor_cores=1..8")
    assert effective(one) == effective(two)
    assert study_hash(one) == study_hash(two)
    assert study_hash(one) != study_hash(read())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("workloads.0.microbatch=24", "24 does not divide the batch of 64; allowed: 1, 2, 4, 8, 16, 32, 64"),
        ("workloads.0.use=bert-larg", "unknown workload 'bert-larg'; did you mean 'bert-large'? known: "),
        ("workloads.0.use=./no.yaml", "no such file: "),
        ("workloads.0.weight=2", "has no effect under aggregate: worst"),
        ("workloads.0={use: bert-large, batch: 8, sequence: 8, image: 8}", "give sequence or image, not both"),
        ("workloads=[]", "must have at least 1 item"),
        ("workloads.0.batch=0", "must be greater than or equal to 1, got 0"),
        ("workloads.0.batch=yes", "must be a whole number, got True"),
        ("technology=tpu-16", "unknown technology 'tpu-16'; did you mean 'tpu-16nm'"),
        ("accelerator=wham", "must be a mapping of keys to values, got 'wham'"),
        ("accelerator.tensor_cores=8..2", "'8..2' is an impossible range; allowed: lo..hi with 1 <= lo <= hi"),
        ("accelerator.tensor_cores=0..2", "impossible range"),
        ("accelerator.tensor_cores=many", "must be a whole number, a range such as 1..64, or a list"),
        ("accelerator.tensor_dim=[]", "empty list"),
        ("accelerator.tensor_dim=[16, 16]", "names 16 twice"),
        ("accelerator.tensor_dim=[16, 0]", "must be at least 1"),
        ("accelerator.dataflow=rs", "must be one of ws, os, is"),
        ("accelerator.hbm=32", "32 has no unit, which is ambiguous; allowed units: B, "),
        ("accelerator.hbm=[1 GiB, 1024 MiB]", "names '1 GiB' twice"),
        ("accelerator.frequency=0 Hz", "must be above 0"),
        ("accelerator={use: wham, tensor_dim: 8, tensor_rows: 8}", "tensor_dim sets rows and columns already"),
        ("limits.area=400", "no unit, which is ambiguous; allowed units: um^2, mm^2, cm^2; or baseline"),
        ("limits.tdp=400 mm^2", "unknown unit 'mm^2' in '400 mm^2'; allowed units: mW, W, kW"),
        ("limits.pwoer=400 W", "unknown key 'pwoer'; allowed: area, tdp"),
        ("parallel.pipeline=4", "is required with parallel.pipeline: 4"),
        ("system.devices=4", "must equal parallel.pipeline, 1"),
        ("parallel={pipeline: 3, stages: [4]}", "must be 2 increasing layer numbers"),
        ("parallel={pipeline: 3, stages: [4, 4]}", "must be 2 increasing layer numbers"),
        ("objective=thruput", "must be one of throughput, bottleneck, throughput-per-tdp, got 'thruput'; did you mean"),
        ("deployment=time-shared", "time-shared needs mode: common, got mode: heterogeneous"),
        ("floor=1.5", "applies to objective: throughput-per-tdp only"),
        ("budget={deterministic: true, seconds: null}", "needs budget.work or budget.seconds"),
        ("budget.seconds=-1", "must be greater than or equal to 0, got -1"),
        ("budget.seconds=.inf", "must be a finite number"),
        ("search.refine=no", "must be one of cp-sat, none, got False"),
        ("nmae=x", "unknown key 'nmae'; did you mean 'name'?"),
    ],
)
def test_refuses(override: str, message: str) -> None:
    text = complaint(MINIMAL, override)
    assert message in text
    assert text.startswith(("--set ", "t.yaml:"))


def test_refuses_together() -> None:
    text = complaint(TWO, "limits.area=4", "workloads.1.microbatch=3", "workloads.0.use=brt", "objective=x")
    assert len(text.splitlines()) == 4


def test_several_workloads_need_their_own_names() -> None:
    assert "'bert-base' is taken" in complaint(TWO, "workloads.1.use=bert-base")
    study = read(TWO, "workloads.1={use: bert-base, batch: 8, name: other}")
    assert [workload.name for workload in study.workloads] == ["bert-base", "other"]
    stages = complaint(TWO, "system={cluster: pcie-ring}", "parallel={pipeline: 2, stages: [3]}")
    assert "names layers of one workload" in stages


def test_positions() -> None:
    text = MINIMAL + "limits:\n  area: 400\n"
    assert complaint(text).startswith("t.yaml:5:9: limits.area: 400 has no unit")


def write(folder: Path, text: str = MINIMAL) -> Path:
    file = folder / "study.yaml"
    file.write_text(text)
    return file


def test_files_are_found_beside_the_study_and_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "both.yaml").write_text(f"at: {folder.name}\n")
    (here / "only.yaml").write_text("at: here\n")
    monkeypatch.chdir(here)
    study = load_study(write(beside), ["technology=both.yaml", "baseline=only.yaml"]).study
    assert study.technology == str(beside / "both.yaml")
    assert study.baseline == str(here / "only.yaml")
    assert referenced_files(study) == (beside / "both.yaml", here / "only.yaml")
    # what is written names them absolutely, so that it is valid from anywhere
    monkeypatch.chdir(tmp_path)
    assert validate(load_yaml(text=effective(study)), Study) == study


def test_the_hash_follows_the_content_of_files_and_not_their_place(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "tech.yaml").write_text("x: 1\n")
    studies = [load_study(write(folder), ["technology=tech.yaml"]).study for folder in folders]
    first = study_hash(studies[0])
    assert first == study_hash(studies[1])
    (tmp_path / "b" / "tech.yaml").write_text("x: 2\n")
    assert first != study_hash(studies[1])


@pytest.mark.parametrize("by_file", [False, True])
def test_a_template_is_no_design(tmp_path: Path, by_file: bool) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(resolve("accelerators", "wham").read_text())
    with pytest.raises(InputError, match=r"tensor_cores: a design needs one value here; .* template of [\d,]+ designs"):
        load_study("quickstart", design=file if by_file else "wham")


def test_one_design_instead_of_the_space(tmp_path: Path) -> None:
    file = tmp_path / "design of mine.yaml"
    file.write_text(dump_design(load_accelerator("tpuv2-like")))
    assert load_study("quickstart", design=file).study.accelerator.mapping() == {"use": str(file)}
    named = load_study("quickstart", ["accelerator.tensor_cores=3"], design="tpuv2-like")
    assert named.study.accelerator.mapping() == {"use": "tpuv2-like"}
    with pytest.raises(InputError, match="no such file"):
        load_study("quickstart", design=tmp_path / "none.yaml")
    with pytest.raises(InputError, match="unknown accelerator 'nope'"):
        load_study("quickstart", design="nope")


def test_loaded_study() -> None:
    loaded = load_study("quickstart", ["budget.seed=7"])
    assert isinstance(loaded, LoadedStudy)
    assert loaded.folder == loaded.path.parent
    assert loaded.study.budget.seed == 7
    assert loaded.document.locate(("budget", "seed")) == "--set budget.seed=7"
    with pytest.raises(InputError, match="unknown study 'quickstrat'; did you mean 'quickstart'"):
        load_study("quickstrat")


_AXES = st.fixed_dictionaries(
    {},
    optional={
        "tensor_cores": st.integers(1, 64) | st.just("1..64") | st.lists(st.integers(1, 64), min_size=1, unique=True),
        "tensor_dim": st.lists(st.sampled_from([16, 32, 64]), min_size=1, unique=True),
        "dataflow": st.sampled_from(["ws", "os", "is"]) | st.just(["ws", "os"]),
        "hbm": st.sampled_from(["16 GiB", "40 GB", ["16 GiB", "32 GiB"]]),
        "hbm_bandwidth": st.sampled_from(["700 GB/s", "1.2 TB/s"]),
        "frequency": st.integers(1, 10**10).map(lambda hertz: f"{hertz} Hz"),
    },
)
_SHOWN = st.characters(exclude_categories=["C", "Z"])
_WORKLOADS = st.fixed_dictionaries(
    {"use": st.sampled_from(["bert-large", "resnet-50"]), "batch": st.integers(1, 8).map(lambda n: 8 * n)},
    optional={
        "microbatch": st.sampled_from([1, 2, 4, 8]),
        "optimizer": st.sampled_from(["adam", "sgd"]),
        "recompute": st.sampled_from(["none", "full"]),
        "attention": st.sampled_from(["materialised"]),
        "split": st.sampled_from(["none", "heads", "samples"]),
        "name": st.text(_SHOWN, min_size=1, max_size=5),
    },
)
_LIMIT = st.floats(1e-3, 1e6).map(lambda value: f"{value!r} mm^2") | st.sampled_from(["baseline", "none", None])
_STUDIES = st.fixed_dictionaries(
    {"name": st.text(_SHOWN, min_size=1, max_size=20), "workloads": st.lists(_WORKLOADS, min_size=1, max_size=1)},
    optional={
        "accelerator": _AXES,
        "description": st.text(max_size=20),
        "limits": st.fixed_dictionaries({"area": _LIMIT}),
        "device_limits": st.fixed_dictionaries({"area": _LIMIT}),
        "objective": st.sampled_from(["throughput", "bottleneck", "throughput-per-tdp"]),
        "mode": st.sampled_from(["heterogeneous", "homogeneous", "common"]),
        "baselines": st.lists(st.sampled_from(["tpuv2-like", "nvdla-like"]), max_size=2),
        "budget": st.fixed_dictionaries(
            {},
            optional={
                "seconds": st.floats(0, 1e6) | st.none(),
                "work": st.floats(1e-3, 1e9),
                "seed": st.integers(0, 99),
            },
        ),
    },
)


@settings(deadline=None)
@given(_STUDIES)
def test_what_is_written_is_a_valid_equal_study(table: dict[str, Any]) -> None:
    table["accelerator"] = {"use": "wham", **table.get("accelerator", {})}
    study = validate(load_yaml(text=dump(table)), Study)
    written = effective(study)
    again = validate(load_yaml(text=written), Study)
    assert again == study
    assert effective(again) == written
    assert study_hash(again) == study_hash(study)
    as_json = json.loads(json.dumps(as_mapping(study)))
    assert validate(load_yaml(text=dump(as_json)), Study) == study


def fields_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    models = [table, *table["$defs"].values()]
    return [{"name": name, **field} for model in models for name, field in model["properties"].items()]


def test_schema() -> None:
    table = schema()
    assert table["$schema"].endswith("2020-12/schema")
    assert all(field.get("description") for field in fields_of(table))
    assert all(model["additionalProperties"] is False for model in [table, *table["$defs"].values()])
    assert json.loads(json.dumps(table)) == table
    units = {field["name"]: field["unit"] for field in fields_of(table) if "unit" in field}
    assert units["area"] == "mm2"
    assert units["hbm_bandwidth"] == "bytes/s"


def test_the_readme_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    (printed,) = re.findall(r"```\n(study\.yaml:.*?)```", readme, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, example)
    assert load_study("study.yaml").study.parallel.pipeline == 4
    write(tmp_path, example.replace("microbatch: 1", "microbatch: 3").replace("2200 mm^2", "2200"))
    with pytest.raises(InputError) as caught:
        load_study("study.yaml")
    assert str(caught.value) == printed.strip()


def test_reference_names_every_key() -> None:
    text = study_reference()
    keys = set(re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE))
    assert {"workloads.0.microbatch", "limits.area", "accelerator.tensor_dim", "budget.seed"} <= keys
    assert len(keys) == len(fields_of(schema()))
    assert "None" not in text
