"""YAML and JSON with positions: reading, refusing, overriding, validating."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from accmine.errors import InputError
from accmine.files import Document, FieldsError, load_yaml, validate


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    size: Annotated[int, Field(strict=True, gt=0)]
    colour: Literal["red", "green"] = "red"


class Box(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    lid: Item | None = None
    weight: float = 1.0
    label: str = ""
    low: int = 0
    high: int = Field(default_factory=lambda data: data["low"] + 1)

    @model_validator(mode="after")
    def _cross(self) -> Self:
        if self.low >= self.high:
            raise FieldsError(
                [(("low",), f"must be below high, {self.high}"), (("high",), f"must be above {self.low}")]
            )
        return self


GOOD = """\
# a box
items:
  - size: 1
    colour: green
  - {size: 2}
label: plain
"""


def lines(text: str, overrides: tuple[str, ...] = ()) -> list[str]:
    """Complaints about a box."""
    with pytest.raises(InputError) as caught:
        validate(load_yaml(text=text, name="box.yaml", overrides=overrides), Box)
    return str(caught.value).splitlines()


def test_reads_and_locates() -> None:
    document = load_yaml(text=GOOD, name="box.yaml")
    assert validate(document, Box).items[0].colour == "green"
    assert document.locate(("items", 0, "colour")) == "box.yaml:4:13"
    assert document.locate(("items", 0, "colour"), key=True) == "box.yaml:4:5"
    assert document.locate(("items", 1, "size")) == "box.yaml:5:12"
    assert document.locate(("items", 1, "missing")) == "box.yaml:5:5"
    assert document.locate(("items", 9)) == "box.yaml:3:3"
    assert document.locate() == "box.yaml:2:1"


def test_all_complaints_at_once() -> None:
    text = """\
items:
  - size: -1
    colour: blue
  - {size: yes, colr: red}
  - 5
lid: {colour: green}
weight: heavy
label: 4
"""
    assert lines(text) == [
        "box.yaml:2:11: items.0.size: must be greater than 0, got -1",
        "box.yaml:3:13: items.0.colour: must be one of red, green, got 'blue'",
        "box.yaml:4:12: items.1.size: must be a whole number, got True",
        "box.yaml:4:17: items.1.colr: unknown key 'colr'; did you mean 'colour'? allowed: size, colour",
        "box.yaml:5:5: items.2: must be a mapping of keys to values, got 5",
        "box.yaml:6:6: lid.size: is required",
        "box.yaml:7:9: weight: must be a number, got 'heavy'",
        "box.yaml:8:8: label: must be text, got 4",
    ]


def test_what_only_follows_is_not_said() -> None:
    assert lines("items: [{size: 1}]\nlow: x\n") == ["box.yaml:2:6: low: must be a whole number, got 'x'"]
    assert lines("items: []\n") == ["box.yaml:1:8: items: must have at least 1 item, got []"]


def test_a_validator_may_complain_about_several_fields() -> None:
    assert lines("items: [{size: 1}]\nlow: 3\nhigh: 2\n") == [
        "box.yaml:2:6: low: must be below high, 2",
        "box.yaml:3:7: high: must be above 3",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "7", "[1]", "~"])
def test_a_file_that_is_no_mapping(text: str) -> None:
    (line,) = lines(text)
    assert "must be a mapping of keys to values" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: a: duplicate key 'a', first given on line 1"),
        ("b:\n  - {c: 1, c: 2}\n", "x.yaml:2:12: b.0.c: duplicate key 'c', first given on line 2"),
        ("a: [1, 2\nb: 3\n", "x.yaml:2:2: not valid YAML: "),
        ("a: 'open\n", "not valid YAML: "),
        ("a: 1\n---\nb: 2\n", "not valid YAML: "),
        (
            "a: !!python/object:os.system {}\n",
            "x.yaml:1:4: a: not valid YAML: the tag !!python/object:os.system is not read",
        ),
        ("a: *nowhere\n", "x.yaml:1:4: not valid YAML: "),
        ("a: \x07\n", "not valid YAML"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_refuses_yaml(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_yaml(text=text, name="x.yaml")
    assert message in str(caught.value)


def test_two_duplicates_are_two_complaints() -> None:
    with pytest.raises(InputError) as caught:
        load_yaml(text="a: 1\na: 2\nb: {c: 1, c: 1}\n")
    assert len(caught.value.complaints) == 2


def test_merge_keys_are_no_duplicates() -> None:
    document = load_yaml(text="base: &b {size: 1, colour: red}\nitem: {<<: *b, size: 2}\n", name="m.yaml")
    assert document.data["item"] == {"size": 2, "colour": "red"}
    assert document.locate(("item", "size")) == "m.yaml:2:22"
    assert document.locate(("item", "colour")) == "m.yaml:1:28"


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "box.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())  # with a byte order mark
    assert load_yaml(file).data["label"] == "plain"
    assert load_yaml(str(file)).path == file
    for bad, message in [(tmp_path / "no.yaml", "no such file"), (tmp_path, "cannot be read")]:
        with pytest.raises(InputError, match=message):
            load_yaml(bad)
    file.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(InputError, match="not UTF-8 text"):
        load_yaml(file)


def test_json_files(tmp_path: Path) -> None:
    file = tmp_path / "box.json"
    file.write_text('{\n\t"items": [{"size": 1.5, "colour": "re\\/d"}]\n}\n')
    with pytest.raises(InputError) as caught:
        validate(load_yaml(file), Box)
    assert f"{file}:2:21: items.0.size: must be a whole number" in str(caught.value)
    for text, message in [
        ('{"a": 1,\n "a": 2}', f"{file}:2:2: a: duplicate key 'a', first given on line 1"),
        ('{"a": 1,\n}', f"{file}:"),
        ('{"a": NaN}', f"{file}:1:7: a: NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
    ]:
        file.write_text(text)
        with pytest.raises(InputError) as caught:
            load_yaml(file)
        assert message in str(caught.value)


def test_overrides() -> None:
    document = load_yaml(
        text=GOOD, overrides=["items.1.size=7", "lid.size=3", "weight= 2.5", "label=a=b", "items.0={size: 4}"]
    )
    box = validate(document, Box)
    assert [item.size for item in box.items] == [4, 7]
    assert box.lid == Item(size=3)
    assert (box.weight, box.label) == (2.5, "a=b")
    assert box.items[0].colour == "red"
    assert load_yaml(text=GOOD).data["items"][1] == {"size": 2}


def test_later_overrides_win() -> None:
    assert load_yaml(text=GOOD, overrides=["low=1", "low=2"]).data["low"] == 2


def test_overrides_are_located_and_validated() -> None:
    assert lines(GOOD, ("items.1.size=0", "wieght=3", "lid.colour=red")) == [
        "--set items.1.size=0: items.1.size: must be greater than 0, got 0",
        "box.yaml:2:1: lid.size: is required",
        "--set wieght=3: wieght: unknown key 'wieght'; did you mean 'weight'? "
        "allowed: items, lid, weight, label, low, high",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("items", "must have the form key.key=value"),
        ("=3", "must have the form"),
        ("a..b=3", "must have the form"),
        ("items.2.size=1", "'2' is not an index of items; allowed: 0 to 1"),
        ("items.x.size=1", "'x' is not an index of items"),
        ("label.size=1", "label is 'plain', which holds no keys"),
        ("low=[1", "not valid YAML"),
        ("low={a: 1, a: 2}", "duplicate key"),
    ],
)
def test_refuses_overrides(override: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_yaml(text=GOOD, overrides=[override])
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"--set {override}")


def test_needs_one_source() -> None:
    with pytest.raises(TypeError):
        load_yaml()
    with pytest.raises(TypeError):
        load_yaml("a.yaml", text="a: 1")


_KEYS = st.text(string.ascii_letters + " :#'\"äé-", min_size=1, max_size=6)
_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029")
"""Without the line breaks that PyYAML writes as they are and reads as spaces."""

_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(_CHARACTERS, max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYS, below, max_size=3),
    max_leaves=12,
)


def places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Every place in a value, with what stands there."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(place, value), *(found for step, item in below for found in places(item, (*place, step)))]


@given(_VALUES, st.booleans())
def test_every_value_is_located_where_it_stands(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=flow)
    document = load_yaml(text=text, name="f")
    assert document.data == value
    rows = text.splitlines()
    for place, found in places(value):
        _, line, column = document.locate(place).split(":")
        rest = rows[int(line) - 1][int(column) - 1 :]
        if found is None or isinstance(found, bool | int):
            assert rest.startswith("null" if found is None else str(found).lower())


@given(_VALUES)
def test_json_and_yaml_read_alike(value: Any) -> None:
    document = Document(value, "f.json", json.dumps(value), Path("f.json"))
    for place, found in places(value):
        where = document.locate(place).split(":")
        assert where[0] == "f.json"
        if len(where) == 3 and isinstance(found, int) and not isinstance(found, bool):
            assert json.dumps(value)[int(where[2]) - 1 :].startswith(str(found))
