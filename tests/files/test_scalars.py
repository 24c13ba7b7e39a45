"""Words of files: what they mean, and what is refused because YAML 1.1 means something else."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml, parse


def read(word: str) -> Any:
    return load_yaml(text=f"a: {word}\n", name="f").data["a"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("400", 400),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1e1", 10),
        ("1E+2", 100),
        ("25e-1", 2.5),
        ("1e-3", 0.001),
        ("1.0e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e30", 1e30),
        ("true", True),
        ("yes", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("2001-01-01", "2001-01-01"),
        ("2001-99-99", "2001-99-99"),
        ("2024-01-01T00:00:00+99:99", "2024-01-01T00:00:00+99:99"),
        ("1..64", "1..64"),
        ("12 GiB", "12 GiB"),
        ("nan", "nan"),
        ("=", "="),
        ("-", [None]),
        ("'0400'", "0400"),
        ("!!str 0400", "0400"),
        ("!!float 4", 4),
        ("1:99", "1:99"),
        ("0x", "0x"),
    ],
)
def test_means(word: str, value: Any) -> None:
    found = read(word) if word != "-" else load_yaml(text="-\n").data
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "0400",
            "0400 has a leading zero; write 400 (256, if the octal number of YAML 1.1 is meant), or '0400' in quotes",
        ),
        ("-010", "write -10 (-8, if the octal"),
        ("01", "01 has a leading zero; write 1, or"),
        ("08", "write 8, or"),
        ("00", "write 0, or"),
        ("00.5", "write 0.5, or"),
        ("0_1", "has a leading zero"),
        ("4:16", "4:16 is a number in base 60 to YAML 1.1 (256); write it in base 10, or '4:16' in quotes"),
        ("1:04:30.5", "in base 60"),
        ("0b11", "0b11: numbers are read in base 10 only; write 3, or '0b11' in quotes"),
        ("0o17", "write 15"),
        ("-0x1F", "write -31"),
        (".inf", "must be a finite number, got .inf"),
        ("-.INF", "must be a finite number"),
        (".nan", "must be a finite number, got .nan"),
        ("1e999", "1e999 is too large for a number"),
        ("-1.5e400", "too large"),
        ("1e-999", "too small for a number"),
        ("9" * 309, "has 309 digits; allowed: up to 308"),
        ("9" * 5000, "has 5000 digits"),
        ("0x" + "f" * 5000, "write it out"),
        ("0" * 5000, "has a leading zero"),
        ("!!int x", "must be a whole number, as its tag says"),
        ("!!bool 1", "must be true or false, as its tag says"),
        ("!!int 1.5", "must be a whole number"),
        ("!!timestamp 2001-01-01", "the tag !!timestamp is not read"),
        ("!!binary aGk=", "the tag !!binary is not read"),
        ("!mine 3", "the tag !mine is not read"),
        ("!!set {x}", "the tag !!set is not read"),
    ],
)
def test_refuses(word: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(word)
    assert str(caught.value).startswith("f:1:4: a: ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError) as caught:
        load_yaml(text="a: 1\n", overrides=[f"a={word}"])
    assert str(caught.value).startswith(f"--set a={word}: a: ")
    assert message in str(caught.value)


def test_everything_wrong_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read("[01, {b: 4:16, b: 2}, .nan]")
    assert [str(c).partition("; ")[0].partition(" has")[0] for c in caught.value.complaints] == [
        "f:1:5: a.0: 01",
        "f:1:13: a.1.b: 4:16 is a number in base 60 to YAML 1.1 (256)",
        "f:1:19: a.1.b: duplicate key 'b', first given on line 1",
        "f:1:26: a.2: must be a finite number, got .nan",
    ]


def test_keys_are_text_as_it_stands() -> None:
    document = load_yaml(text="1: a\non: b\n2001-01-01: c\n010: d\n~: e\n", name="f")
    assert list(document.data) == ["1", "on", "2001-01-01", "010", "~"]
    assert document.locate(("on",)) == "f:2:5"


@pytest.mark.parametrize("text", ["{[1]: 2}", "{{}: 2}", "? \n: 3\n", "a: 1\n'a': 2\n", "1: a\n'1': b\n"])
def test_refuses_keys(text: str) -> None:
    with pytest.raises(InputError, match=r"is no key|duplicate key"):
        load_yaml(text=text)


def test_fractions_exactly() -> None:
    for text, path in (("a: 0.1\n", None), ('{"a": 0.1}', None), ('{"a": 0.1}', Path("a.json"))):
        assert parse(text, path=path, exact=True).data == {"a": Decimal("0.1")}
        assert parse(text, path=path).data == {"a": 0.1}
    assert parse("a: 1e3", exact=True).data == {"a": 1000}


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300))
def test_json_and_yaml_read_the_same_numbers(value: float) -> None:
    text = json.dumps({"a": value})
    as_json, as_yaml = parse(text).data["a"], load_yaml(text=f"a: {json.dumps(value)}\n").data["a"]
    assert as_json == as_yaml == value
    assert type(as_json) is type(as_yaml)
    assert math.copysign(1, as_json) == math.copysign(1, as_yaml)


@given(st.text(st.sampled_from("0123456789abefox_.:+-"), max_size=7))
def test_a_word_is_never_another_number_than_to_yaml(word: str) -> None:
    """Where both read a number it is the same one; what YAML 1.1 alone reads as a number is refused or no number."""
    try:
        theirs = yaml.safe_load(f"a: [{word}]")["a"]
        ours = load_yaml(text=f"a: [{word}]").data["a"]
    except (yaml.YAMLError, InputError, ValueError):
        return
    if len(theirs) == 1 and isinstance(theirs[0], int | float) and not isinstance(theirs[0], bool):
        assert ours == theirs or isinstance(ours[0], str)
