"""JSON schemas: what is shipped is valid under them, and what the readers refuse mostly is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from accmine.errors import InputError
from accmine.files import DIMENSIONS, load_yaml, names, parse_quantity, quantity_pattern, resolve
from accmine.questions.study.schemas import SCHEMAS, schema_of

FOLDERS = {
    "study": "studies",
    "workload": "workloads",
    "technology": "technologies",
    "cluster": "clusters",
    "design": "accelerators",
}
OWN = {"technology": [Path(__file__).parents[2] / "data/accelergy/technology.yaml"]}
MODEL = {"family": "convnet", "image": 4, "layers": ["relu", {"linear": {"out": 4}}]}
LEVEL = {"name": "n", "devices": 8, "bandwidth": "25 GB/s", "latency": "5 us"}
STUDY = {"name": "s", "workloads": [{"use": "bert-large", "batch": 8}], "accelerator": {"use": "wham"}}


def valid(what: str, data: Any) -> bool:
    return bool(Draft202012Validator(schema_of(what)).is_valid(data))


@pytest.mark.parametrize("what", SCHEMAS)
def test_what_is_shipped_is_valid(what: str) -> None:
    table = schema_of(what)
    Draft202012Validator.check_schema(table)
    assert table["title"] == f"accmine {what}"
    files = [resolve(FOLDERS[what], name) for name in names(FOLDERS[what])] + OWN.get(what, [])
    checker = Draft202012Validator(table)
    for file in files:
        data = load_yaml(file).data
        assert [f"{file.name}: {error.json_path}: {error.message}" for error in checker.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("what", "good", "change"),
    [
        ("study", STUDY, {"accelerator": {"use": "whamm"}}),
        ("study", STUDY, {"limits": {"area": "400"}}),
        ("study", STUDY, {"limits": {"area": "400 W"}}),
        ("study", STUDY, {"accelerator": {"use": "wham", "hbm": "32 Gib"}}),
        ("study", STUDY, {"colour": "red"}),
        ("study", STUDY | {"sweep": {"grid": {"limits.area": ["400 mm^2"]}}}, {"sweep": {"grid": {}}}),
        ("study", {"name": "c", "compare": {"suite": "wham"}}, {"compare": 1}),
        ("workload", MODEL, {"image": 0}),
        ("workload", MODEL, {"layer": []}),
        ("workload", MODEL, {"family": "convent"}),
        ("cluster", {"name": "c", "levels": [LEVEL]}, {"levels": [LEVEL | {"bandwidth": "25 GB"}]}),
        ("cluster", {"name": "c", "levels": [LEVEL]}, {"levels": [LEVEL | {"topology": "star"}]}),
        ("design", {"tensor_cores": "1..4", "hbm": "16 GiB"}, {"tensor_cores": "one"}),
        ("design", {"tensor_cores": "1..4", "hbm": "16 GiB..64 GiB x2"}, {"hbm": "16 GiB..64 x2"}),
        ("design", {"dataflow": ["ws", "os"]}, {"dataflow": "sw"}),
        ("design", {"calibration": {"source": "s", "launch": "2 us"}}, {"calibration": {"source": "s", "launch": 2}}),
    ],
)
def test_what_is_wrong_is_not(what: str, good: dict[str, Any], change: dict[str, Any]) -> None:
    assert valid(what, good)
    assert not valid(what, good | change)


def test_a_constant_needs_its_unit_and_its_source() -> None:
    data = yaml.safe_load(resolve("technologies", "tpu-16nm").read_text())
    assert valid("technology", data)
    assert not valid("technology", data | {"node_nm": {"value": 16, "unit": "um", "source": "s"}})
    assert not valid("technology", data | {"node_nm": {"value": 16, "unit": "nm"}})


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_patterns_are_what_the_reader_takes(dimension: str) -> None:
    checker = Draft202012Validator({"type": "string", "pattern": quantity_pattern(dimension)})
    texts = [
        f"{number}{space}{unit}"
        for unit in DIMENSIONS[dimension]
        for number in ("1", "1.5e3", ".5")
        for space in ("", " ")
    ]
    texts += ["1 mm²", "3 mm2", "1 µs", "1 KB", "1 KB/s", "7", "-1 s", "W", "1 parsec", "1_000 W", ""]
    for text in texts:
        try:
            parse_quantity(text, dimension)
            taken = True
        except InputError:
            taken = False
        assert checker.is_valid(text) is taken, text


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"did you mean 'cluster'.*allowed: study, workload"):
        schema_of("clusters")
