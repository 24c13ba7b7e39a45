"""Expressions: values as in Python, and errors that say what is allowed."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.kernel.described.expression import (
    LONGEST,
    MOST,
    Complaints,
    evaluate,
    filled,
    may_name,
    parse,
    substituted,
)

NAMES = {"rows": 16, "cols": 8, "m": 5, "zero": 0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rows + cols + m - 2", 27),
        ("rows - cols - 1", 7),
        ("2 * (rows + 1) // 3", 11),
        ("-7 // 2", -4),
        ("-7 % 4", 1),
        ("- - 3", 3),
        ("-(rows)", -16),
        ("2 - -3", 5),
        ("ceildiv(rows + 1, cols)", 3),
        ("ceildiv(-7, 2)", -3),
        ("min(rows, cols, m)", 5),
        ("max(4)", 4),
        ("min(max(1, 2), 3) * 2", 4),
        ("1_000", 1000),
        (" \t7 ", 7),
        (str(MOST), MOST),
        (12, 12),
    ],
)
def test_values(text: int | str, value: int) -> None:
    assert evaluate(text, NAMES) == value


_LEAVES = st.one_of(st.integers(0, 60).map(str), st.sampled_from(["rows", "cols", "m"]))
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from(["+", "-", "*", "//", "%"]), below).map(" ".join),
        below.map(lambda text: f"({text})"),
        below.map(lambda text: f"-{text}"),
        st.tuples(st.sampled_from(["min", "max"]), below, below).map(lambda x: f"{x[0]}({x[1]}, {x[2]})"),
    ),
    max_leaves=9,
)


@given(_EXPRESSIONS)
def test_as_python_computes(text: str) -> None:
    try:
        expected = eval(text, {"__builtins__": {"min": min, "max": max}}, dict(NAMES))
    except ZeroDivisionError:
        with pytest.raises(InputError, match="divides by 0"):
            evaluate(text, NAMES)
        return
    assume(len(text) <= LONGEST)
    assert evaluate(text, NAMES) == expected  # nine numbers up to 60 stay below int64
    assert evaluate(substituted(text, {"rows": 16}), {"cols": 8, "m": 5}) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "something is missing"),
        ("1 +", "something is missing"),
        ("1 2", "'2' follows a whole expression"),
        ("rows / 2", "use // or ceildiv"),
        ("2 ** 3", "'\\*' stands where a number"),
        ("1.5", "not understood"),
        ("(1", "'\\)' is missing before 'the end'"),
        ("ceildiv(1)", "ceildiv takes two numbers, not 1"),
        ("ceildiv(1, 2, 3)", "not 3"),
        ("abs(1)", "there is no function 'abs'"),
        ("__import__('os')", "there is no function|not understood"),
        ("rows.bit_length", "not understood"),
        ("rows if m else 1", "follows a whole"),
        ("rowz", "unknown name 'rowz' in 'rowz'; did you mean 'rows'"),
        ("rows // zero", "divides by 0"),
        ("rows % (m - 5)", "divides by 0"),
        ("ceildiv(1, zero)", "divides by 0"),
        ("9223372036854775807 + 1", "passes 9223372036854775807"),
        ("9223372036854775808", "passes"),
        ("-9223372036854775807 - 1", "passes"),
        ("(" * 51 + "1" + ")" * 51, "more than 50 levels"),
        ("-" * 2000 + "1", "at most 1000 characters"),
        ("1" * (LONGEST + 1), "at most 1000 characters"),
        ("１", "not understood"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        evaluate(text, NAMES)


def test_names_in_order() -> None:
    assert parse("b + a * b - min(c, 1)").names == ("b", "a", "c")


def test_braces_hold_expressions() -> None:
    assert filled("pe_{r}_{c + 1}", {"r": 2, "c": 3}) == "pe_2_4"
    assert filled("plain", {}) == "plain"
    for text in ("pe_{r", "pe_r}", "pe_{{r}}", "pe_{}", "pe_{x}"):
        with pytest.raises(InputError):
            filled(text, {"r": 2})


def test_what_a_template_may_name() -> None:
    assert may_name("pe_{r}_{c-1}", ["x", "pe_3_0"])
    assert not may_name("pf_{r}_{c-1}", ["pe_3_0"])
    assert not may_name("pe_{r}", ["pe_3_0"])


def test_one_complaint_at_a_place() -> None:
    found = Complaints(load_yaml(text="a: 1\nb: x\n", name="f.yaml"))
    assert found.number("1 - 2", {}, ("b",), 0) == 0
    found.unknown(("b",), "says", "x", ["y"])
    found.unknown(("c",), "no 'abc'", "abc", (f"abc{n}" for n in range(100)))
    with pytest.raises(InputError) as raised:
        found.raise_any()
    first, second = map(str, raised.value.complaints)
    assert first == "f.yaml:2:4: b: must be at least 0, is -1"
    assert "did you mean 'abc" in second
    assert "abc19 …" in second
    assert "abc20" not in second
