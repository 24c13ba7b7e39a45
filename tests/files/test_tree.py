"""The tree of a text: data as written, steps to every value, and complaints at their places."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.files.tree import MAPPING, PLAIN, SEQUENCE, STRING, child, index_of, mark_at, value_of, where

MARK = mark_at(4, 2)


def plain(text: str, tag: str = PLAIN) -> yaml.ScalarNode:
    return yaml.ScalarNode(tag, text, MARK, MARK)


def mapping(**keys: yaml.Node) -> yaml.MappingNode:
    return yaml.MappingNode(MAPPING, [(plain(k, STRING), v) for k, v in keys.items()], MARK, MARK)


def node_of(value: Any) -> yaml.Node:
    """A tree whose data are ``value``, made by hand."""
    if isinstance(value, dict):
        rows = [(plain(k, STRING), node_of(v)) for k, v in value.items()]
        return yaml.MappingNode(MAPPING, rows, MARK, MARK)
    if isinstance(value, list):
        return yaml.SequenceNode(SEQUENCE, [node_of(v) for v in value], MARK, MARK)
    if isinstance(value, str):
        return plain(value, STRING)
    return plain(json.dumps(value))


TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=6)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT.filter(lambda k: k != "<<"), below, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(DATA)
def test_a_tree_stands_for_its_data_and_every_step_finds_its_node(data: Any) -> None:
    root = node_of(data)
    assert value_of(root, "f") == data

    def walk(node: yaml.Node, value: Any) -> None:
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for step, below in steps:
            found = child(node, step)
            assert found is not None
            assert value_of(found[1], "f") == below
            walk(found[1], below)
        assert child(node, "no such step") is None

    walk(root, data)


def test_nothing_is_nothing() -> None:
    assert value_of(None, "f") is None


def test_what_is_named_twice_is_copied() -> None:
    shared = mapping(x=plain("1"))
    both = value_of(yaml.SequenceNode(SEQUENCE, [shared, shared], MARK, MARK), "f")
    both[0]["x"] = 2
    assert both[1] == {"x": 1}


def test_own_keys_win_over_merged_ones_and_the_first_merged_one() -> None:
    one, two = mapping(a=plain("1"), b=plain("1")), mapping(b=plain("2"), c=plain("2"))
    merge = plain("<<"), yaml.SequenceNode(SEQUENCE, [one, two], MARK, MARK)
    node = yaml.MappingNode(MAPPING, [merge, (plain("a", STRING), plain("0"))], MARK, MARK)
    assert value_of(node, "f") == {"a": 0, "b": 1, "c": 2}
    for step, value in (("a", "0"), ("b", "1"), ("c", "2")):
        found = child(node, step)
        assert found is not None
        assert found[1].value == value
    assert child(node, "<<") is None


def test_every_complaint_with_its_place_and_path() -> None:
    text = "a: 1\na: 2\nb: {c: 012, d: !secret x}\n"
    with pytest.raises(InputError) as error:
        load_yaml(text=text, name="f.yaml")
    rows = [(c.where, c.field) for c in error.value.complaints]
    assert rows == [("f.yaml:2:1", "a"), ("f.yaml:3:8", "b.c"), ("f.yaml:3:16", "b.d")]
    assert "duplicate key 'a', first given on line 1" in error.value.complaints[0].message
    assert "the tag !secret is not read" in error.value.complaints[2].message


def test_tags_have_to_fit() -> None:
    tag = "tag:yaml.org,2002:int"
    assert value_of(plain("3", tag), "f") == 3
    for text in ("true", "x", "3.5"):
        with pytest.raises(InputError, match="must be a whole number, as its tag says"):
            value_of(plain(text, tag), "f")


def test_fractions_are_exact_where_asked() -> None:
    assert value_of(plain("0.1"), "f", exact=True) == Decimal("0.1")
    assert value_of(plain("0.1"), "f") == 0.1


@given(st.integers(0, 10**12))
def test_indices(number: int) -> None:
    assert index_of(number) == index_of(str(number)) == (number if number < 10**9 else None)
    assert index_of(f"-{number}") is None


def test_places_count_from_one() -> None:
    assert where("f", MARK) == "f:5:3"
    assert where("f", None) == "f"
