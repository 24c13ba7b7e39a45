"""Keys of studies of sparse dataflow accelerators: defaults, complaints with their places, the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from accmine.errors import InputError
from accmine.files import load_yaml, names, resolve, validate
from accmine.sparse.folding import ENGINES, MEMORIES, SLACKS
from accmine.sparse.resources import RESOURCES
from accmine.study import as_mapping, block_of, effective, kind_of, load_study, read_document, study_in
from accmine.study.sparse import SparseStudy, sparse_in, sparse_schema
from accmine.study.sparse.shares import Shares
from tests.samples.sparse_study_sample import SEVERAL as MANY
from tests.samples.sparse_study_sample import STUDY, loaded, written

KEYS: dict[str, Any] = {**STUDY, "network": {"use": "resnet-18"}, "device": "u250"}
SHIPPED = [name for name in names("studies") if name.startswith("sparse-")]


def read(**changes: Any) -> SparseStudy:
    keys = {key: value for key, value in {**KEYS, **changes}.items() if value is not None}
    return validate(load_yaml(text=yaml.safe_dump(keys, sort_keys=False), name="t.yaml"), SparseStudy)


SEVERAL: dict[str, Any] = {
    "device": None,
    "devices": ["zcu102", {"use": "zcu104", "limits": {"lut": "70 %"}}],
    "compare": None,
}


def complaint(**changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(**changes)
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_are_valid(name: str) -> None:
    study = sparse_in(*read_document(name)).study
    assert (study.name, study.kind) == (name, "sparse-dataflow")
    assert study.description
    assert validate(load_yaml(text=effective(study)), SparseStudy) == study


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_are_valid_under_the_schema(name: str) -> None:
    checker = Draft202012Validator(sparse_schema())
    for data in (load_yaml(resolve("studies", name)).data, as_mapping(sparse_in(*read_document(name)).study)):
        assert [f"{error.json_path}: {error.message}" for error in checker.iter_errors(data)] == []


def test_defaults() -> None:
    study = read(slack=None, memories=None, compare=None, budget=None)
    assert (study.engines, study.memories, study.slack) == (ENGINES, MEMORIES, SLACKS)
    assert {share for _, share in study.limits} == {1.0}
    assert (study.prefer, study.buys) == ("dsp", ("dsp", "loss"))
    assert (study.compare.dense, study.compare.tpe) == (True, 200)
    assert (study.budget.seconds, study.budget.workers, study.budget.seed) == (60.0, 2, 0)


def test_limits_are_those_of_resources() -> None:
    assert (*Shares.model_fields,) == (*RESOURCES[:-1], "bandwidth")


@pytest.mark.parametrize(("text", "share"), [("80 %", 0.8), ("0 %", 0.0), ("12.5%", 0.125), (0.25, 0.25), (1, 1.0)])
def test_a_share(text: Any, share: float) -> None:
    assert read(limits={"lut": text}).limits.lut == share
    assert Draft202012Validator(sparse_schema()).is_valid({**KEYS, "limits": {"lut": text}})


@pytest.mark.parametrize("text", ["80", "120 %", -0.1, 1.5, True, "half", None])
def test_what_is_no_share(text: Any) -> None:
    assert "limits.lut: must be a share of the device, 0 to 1 or '0 %' to" in complaint(limits={"lut": text})
    assert not Draft202012Validator(sparse_schema()).is_valid({**KEYS, "limits": {"lut": text}})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": -1}, "loss: must be greater than or equal to 0, got -1"),
        ({"loss": None}, "loss: is required"),
        ({"device": "u25"}, "device: unknown device 'u25'; did you mean 'u250'? known: u250, u280, zcu102, zcu104"),
        ({"engine_model": "fixd16"}, "engine_model: unknown engine 'fixd16'; did you mean 'fixed16'?"),
        ({"network": {"use": "resnet-19"}}, "network.use: unknown workload 'resnet-19'; did you mean 'resnet-18'?"),
        ({"network": None}, "network: is required"),
        ({"levels": None}, "levels: is required"),
        ({"levels": {}}, "levels: one source of levels is needed: synthetic, table, arrays"),
        ({"levels": {"synthetic": {"count": 0}}}, "levels.synthetic.count: must be greater than or equal to 1, got 0"),
        ({"levels": {"synthetic": {"most_pruned": 1}}}, "levels.synthetic.most_pruned: must be less than 1, got 1"),
        ({"levels": {"table": "no.csv"}}, "levels.table: no such file: no.csv"),
        ({"engines": []}, "engines: "),
        ({"engines": ["dens"]}, "engines.0: must be one of dense, sparse, got 'dens'; did you mean 'dense'?"),
        ({"engines": ["dense", "dense"]}, "engines.1: 'dense' is named twice"),
        ({"slack": [2]}, "slack.0: must be one of 1, 4, 16, 64, got 2"),
        ({"buys": ["area"]}, "buys.0: must be one of dsp, lut, ff, bram18, uram, bandwidth, loss, got 'area'"),
        ({"precision": {"data": 65}}, "precision.data: must be less than or equal to 64, got 65"),
        ({"compare": {"tpe": -1}}, "compare.tpe: must be greater than or equal to 0, got -1"),
        ({"accuracy": {}}, "accuracy: one of use and callback is needed"),
        ({"accuracy": {"use": "digits"}}, "network: is given by accuracy.use: digits; leave it out"),
        ({"accuracy": {"callback": "a:b"}, "prefer": "loss"}, "prefer: loss is that of levels"),
        ({"accuracy": {"callback": "a:b"}, "buys": ["dsp"]}, "buys: goes by the losses of levels"),
        ({"accuracy": {"callback": "a:b"}}, "compare.tpe: goes by the losses of levels"),
        ({"accuracy": {"callback": "a.b"}}, "accuracy.callback: "),
        ({"devise": 1}, "devise: unknown key 'devise'; did you mean 'device'?"),
    ],
)
def test_complaints(changes: dict[str, Any], said: str) -> None:
    assert said in complaint(**changes)


def test_beside_accuracy_nothing_goes_by_losses_of_levels() -> None:
    study = read(accuracy={"use": "digits"}, network=None, levels=None, compare=None)
    assert (study.buys, study.compare.dense, study.compare.tpe) == ((), True, 0)


def test_an_unknown_kind_has_its_place_and_what_is_allowed(tmp_path: Path) -> None:
    file = written(tmp_path, {"kind": "sparse-dataflw"})
    document, _ = read_document(file)
    with pytest.raises(InputError) as caught:
        kind_of(document)
    assert str(caught.value) == (
        f"{file}:2:7: kind: unknown kind 'sparse-dataflw'; did you mean 'sparse-dataflow'? allowed: sparse-dataflow; "
        "a study of training has no such key"
    )


def test_what_is_for_training_refuses_it_by_name(tmp_path: Path) -> None:
    file = written(tmp_path)
    for read_it in (load_study, lambda path: study_in(*read_document(path))):
        with pytest.raises(InputError, match=r"study\.yaml:2:7: kind: sparse-dataflow is for `accmine run`"):
            read_it(file)


def test_a_study_of_training_has_no_kind() -> None:
    document, _ = read_document("quickstart")
    assert (kind_of(document), block_of(document)) == ("", "")


def test_everything_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, {"loss": -1, "device": "none.yaml"})
    with pytest.raises(InputError) as caught:
        sparse_in(*read_document(file))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [[f"{file}:5:9", "device"], [f"{file}:9:7", "loss"]]


def test_its_files(tmp_path: Path) -> None:
    study = loaded(tmp_path, {"levels": {"table": "table.csv"}}).study
    assert [path.name for path in study.files] == ["small.yaml", "table.csv", "two.yaml"]


def test_several_devices() -> None:
    study = read(**SEVERAL, limits={"dsp": 0.5, "lut": 0.8}, links=8)
    assert [own.use for own in study.sites] == ["zcu102", "zcu104"]
    first, second = (study.shares(own) for own in study.sites)
    assert (first.dsp, first.lut, second.dsp, second.lut) == (0.5, 0.8, 0.5, 0.7)
    assert (study.rates, read(**SEVERAL).rates, read(**SEVERAL, links=[None]).rates) == ((8,), (None,), (None,))
    assert (study.prefer, study.buys, study.compare.tpe, study.compare.alone) == ("none", (), 0, True)
    assert validate(load_yaml(text=effective(study)), SparseStudy) == study


def test_what_compare_does_not_name_is_as_without_it() -> None:
    several = read(**{**SEVERAL, "compare": {"dense": False}}).compare
    assert (several.dense, several.tpe, several.alone) == (False, 0, True)
    true = read(accuracy={"callback": "a:b"}, compare={"dense": False}).compare
    assert (true.dense, true.tpe, true.alone) == (False, 0, False)
    one = read(compare={"dense": False}).compare
    assert (one.dense, one.tpe, one.alone) == (False, 200, False)


def test_one_device_is_a_row_of_one() -> None:
    study = read(limits={"dsp": 0.5})
    assert ([own.use for own in study.sites], study.rates) == (["u250"], ())
    assert study.shares(study.sites[0]) == study.limits


def test_files_of_several_devices(tmp_path: Path) -> None:
    study = loaded(tmp_path, MANY).study
    assert [path.name for path in study.files] == ["small.yaml", "three.yaml"]


@pytest.mark.parametrize("links", [8, 0.5, [8], [None]])
def test_links_under_the_schema(links: Any) -> None:
    keys = {key: value for key, value in {**KEYS, **SEVERAL, "links": links}.items() if value is not None}
    assert [error.message for error in Draft202012Validator(sparse_schema()).iter_errors(keys)] == []
    read(**SEVERAL, links=links)


@pytest.mark.parametrize("links", [0, -1, "8", True, [0], ["a"], []])
def test_what_is_no_link_under_the_schema(links: Any) -> None:
    keys = {key: value for key, value in {**KEYS, **SEVERAL, "links": links}.items() if value is not None}
    assert not Draft202012Validator(sparse_schema()).is_valid(keys)
    assert "links" in complaint(**SEVERAL, links=links)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"devices": ["zcu12", "u250"]}, "t.yaml:19:3: devices.0: unknown device 'zcu12'; did you mean 'zcu102'?"),
        ({"devices": [{"use": "zcu12"}, "u250"]}, "devices.0.use: unknown device 'zcu12'; did you mean 'zcu102'?"),
        ({"devices": ["u250"]}, "devices: "),
        ({"devices": "u250"}, "devices: "),
        ({"devices": ["u250", {"limits": {}}]}, "devices.1.use: is required"),
        ({"devices": ["u250", {"use": "u280", "limits": {"lutt": 1}}]}, "devices.1.limits.lutt: unknown key 'lutt'"),
        ({"devices": ["u250", {"use": "u280", "limits": {"lut": 2}}]}, "devices.1.limits.lut: must be a share of the"),
        ({"device": "u250"}, "device: beside devices: one of them is needed"),
        ({"devices": None}, "device: is required; or devices, of several in a row"),
        ({"links": 0}, "links: must be words per cycle above 0, got 0"),
        ({"links": ["a"]}, "links.0: must be words per cycle above 0, got 'a'; or null, for any number"),
        ({"links": [1, 2]}, "links: 2 links for 2 devices; needed: 1"),
        ({"accuracy": {"callback": "a:b"}}, "accuracy: is for one device, not for devices; leave it out"),
        ({"prefer": "lut"}, "prefer: is for one device, not for devices; allowed: none"),
        ({"buys": ["dsp"]}, "buys: is for one device, not for devices; allowed: []"),
        ({"compare": {"tpe": 5}}, "compare.tpe: is for one device, not for devices; allowed: 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_several_devices(changes: dict[str, Any], said: str) -> None:
    assert said in complaint(**{**SEVERAL, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"links": 2}, "links: are between devices; leave it out"),
        ({"compare": {"alone": True}}, "compare.alone: belongs to devices; allowed: false"),
    ],
)
def test_what_belongs_to_several_devices(changes: dict[str, Any], said: str) -> None:
    assert said in complaint(**changes)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("loss", {"loss": True}),
        ("loss", {"loss": "2"}),
        ("budget.seconds", {"budget": {"seconds": True}}),
        ("accuracy.reference", {"accuracy": {"callback": "a:b", "reference": True}}),
        ("accuracy.seconds", {"accuracy": {"callback": "a:b", "seconds": True}}),
        ("levels.synthetic.most_pruned", {"levels": {"synthetic": {"most_pruned": True}}}),
    ],
)
def test_what_is_no_number_is_not_taken_for_one(key: str, changes: dict[str, Any]) -> None:
    assert f"{key}: must be a number, got " in complaint(**changes)
