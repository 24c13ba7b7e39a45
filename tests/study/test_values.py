from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.workload.importers.fields import (
    FLAG,
    NATURAL,
    POSITIVE,
    RATE,
    Field,
    Source,
    choice,
    dotted,
    optional,
    read_fields,
    read_source,
)


def write(tmp_path: Path, text: str, name: str = "a.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_positions_of_values_and_keys(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, "a: 1\nb:\n  - {c: 2}\n  - d\n"), "a.yaml")
    assert source.data == {"a": 1, "b": [{"c": 2}, "d"]}
    assert source.marks["b", 0, "c"] == (3, 9)
    assert source.key_marks["b", 0, "c"] == (3, 6)
    assert str(source.complaint(("b", 1), "wrong")) == "a.yaml:4:5: b[1]: wrong"
    assert str(source.complaint(("b", 0, "missing", "deep"), "wrong")) == "a.yaml:3:5: b[0].missing.deep: wrong"


def test_dotted() -> None:
    assert dotted(("layers", 2, "conv", "out")) == "layers[2].conv.out"
    assert dotted(()) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", "a.yaml:2:1: not YAML"),
        ("a: 1\na: 2\n", "a.yaml:2:1: a: key given twice"),
        ("- 1\n", "a.yaml: a mapping"),
        ("", "a.yaml: a mapping"),
        ("a: &x [*x]\n", "an alias must not refer to a value that contains it"),
        ("a: \x01\n", "not YAML"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_source(write(tmp_path, text), "a.yaml")
    assert message in str(error.value)


def test_json(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, '{"a": 1e-05,\n "b": true}', "a.json"))
    assert source.data == {"a": 1e-05, "b": True}
    assert source.marks["b",] == (2, 7)
    tabs = read_source(write(tmp_path, '{\n\t"a": 1\n}', "b.json"))
    assert tabs.data == {"a": 1}
    with pytest.raises(InputError, match=r"c\.json:1:7: not JSON"):
        read_source(write(tmp_path, '{"a": }', "c.json"))
    with pytest.raises(InputError, match="key given twice"):
        read_source(write(tmp_path, '{"a": 1, "a": 2}', "d.json"))


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_source(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="cannot be read"):
        read_source(tmp_path / "binary.yaml")


def test_allowed_values() -> None:
    assert [POSITIVE.test(v) for v in (1, 0, True, 1.0, "1", None)] == [True] + [False] * 5
    assert [NATURAL.test(v) for v in (0, -1)] == [True, False]
    assert [RATE.test(v) for v in (0, 0.5, 1, -0.1, False)] == [True, True, False, False, False]
    assert [FLAG.test(v) for v in (True, 1)] == [True, False]
    assert [choice("a", "b").test(v) for v in ("a", "c", ["a"])] == [True, False, False]
    assert optional(POSITIVE).test(None)
    assert not optional(POSITIVE).test(0)


def test_fields() -> None:
    source = Source("f", {})
    fields = {"a": Field(POSITIVE, required=True), "b": Field(RATE, 0.5), "c": Field(FLAG, True)}
    assert read_fields(source, (), {"a": 3, "c": False, "z": 1}, fields, ("z",)) == {"a": 3, "b": 0.5, "c": False}
    source.finish()
    assert read_fields(source, ("x",), {"b": 2, "y": 1}, fields) == {"a": None, "b": 0.5, "c": True}
    assert [str(c) for c in source.complaints] == [
        "f: x.b: a number of at least 0 and below 1 is expected, got 2",
        "f: x.y: unknown key; allowed: a, b, c",
        "f: x.a: missing; a positive integer is required",
    ]
    read_fields(source, (), 3, fields)
    with pytest.raises(InputError, match="a mapping is expected, with keys a, b, c; got 3"):
        source.finish()
