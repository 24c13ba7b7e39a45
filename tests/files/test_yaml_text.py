"""YAML that grows: aliases, depth, and what is no text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import dump, load_yaml


def bomb(levels: int, width: int = 10) -> str:
    rows = ["a0: &a0 [" + ", ".join("x" * width) + "]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(rows) + "\n"


def refused(text: str) -> str:
    started = time.process_time()
    with pytest.raises(InputError) as caught:
        load_yaml(text=text, name="f")
    assert time.process_time() - started < 20
    return str(caught.value)


def test_aliases_that_stand_for_too_much() -> None:
    # a5 stands for 1,111,111 values; its tenth alias of a4 passes the million
    assert refused(bomb(9)) == "f:6:55: the aliases stand for more than 1,000,000 values; write out what is needed"
    merges = "a0: &a0 {x: 1, y: 2, z: 3}\n" + "".join(
        f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9)
    )
    assert "the aliases stand for more than" in refused(merges)


def test_aliases_within_reason_are_copies() -> None:
    document = load_yaml(text=bomb(4) + "b: &b {c: 1}\nd: *b\n", overrides=["d.c=2"])
    assert (document.data["b"], document.data["d"]) == ({"c": 1}, {"c": 2})
    assert document.data["a3"][9][9][9] == list("x" * 10)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: &x [*x]\n", "f:1:8"),
        ("a: &x {b: *x}\n", "f:1:11"),
        ("a: &x\n  - b: [1, &y [*x]]\n", "f:2:16"),
        ("&x a: *x\nb: &z [*z]\n", "f:2:8"),
        ("a: &x {<<: *x}\n", "f:1:12"),
        ("a: &x {? [*x] : 1}\n", "f:1:11"),
    ],
)
def test_aliases_that_contain_themselves(text: str, place: str) -> None:
    assert refused(text) == f"{place}: the alias refers to a value that contains it"


def test_depth() -> None:
    assert refused("a: " + "[" * 100 + "]" * 100) == "f:1:103: nested too deeply; allowed: 100 levels"
    assert load_yaml(text="a: " + "[" * 99 + "]" * 99).data
    assert "nested too deeply" in refused("- " * 3000 + "x")
    chain = "a0: &a0 " + "[" * 60 + "]" * 60 + "\na1: " + "[" * 60 + "*a0" + "]" * 60 + "\n"
    assert refused(chain) == "f:2:65: nested too deeply with its aliases written out; allowed: 100 levels"


def test_merges() -> None:
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], c: 5}\n"
    document = load_yaml(text=text, name="f")
    assert document.data["z"] == {"a": 1, "b": 2, "c": 5}
    assert document.locate(("z", "b")) == "f:1:17"
    assert document.locate(("z", "c")) == "f:3:22"
    assert "needs a mapping, or a list of mappings" in refused("a: {<<: 3}\n")
    assert "f:1:12: a: the tag !x is not read" not in refused("a: {<<: !x {b: 1}, c: 01}\n")


def test_what_is_no_text() -> None:
    assert refused("a: 1\nb: \x00").startswith("f:2:4: not valid YAML: control characters")
    assert refused("a: \udcff").startswith("f:1:4: not valid YAML: holds bytes that are no text")
    assert "not valid YAML" in refused('a: "\\ud800"')


@given(
    st.text(max_size=6) | st.sampled_from(["08", "0E0", "1e3", "0x1f", "4:16", "yes", "~", "", ".inf", "1_000", "-"])
)
def test_texts_are_read_back(text: str) -> None:
    """PyYAML writes 08 and 0E0 without quotes, as they are no numbers of YAML 1.1."""
    value = {"a": text, "b": [text, 1, 2.5, None, True], text: "c"}
    for flow in (None, False):
        assert load_yaml(text=dump(value, flow=flow), name="f").data == value
