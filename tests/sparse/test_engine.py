"""Constants of engines: the shipped files, and what a file may say."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml, names, resolve
from accmine.sparse.engine import DEFAULT_MODEL, EngineModel, load_engine_model


def test_the_defaults_are_those_of_the_file_that_says_why() -> None:
    assert load_engine_model() == load_engine_model("fixed16") == DEFAULT_MODEL
    given = load_yaml(resolve("engines", "fixed16")).data
    assert set(given) == {"name", *(own.name for own in fields(EngineModel))}, "each with its derivation"


def test_eight_bits_are_the_same_structures() -> None:
    assert set(names("engines")) == {"fixed16", "fixed8"}
    assert load_engine_model("fixed8") == replace(DEFAULT_MODEL, data_bits=8, weight_bits=8)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\ntree_lut_per_bit: 0.5\nband: [0.9, 1.2]\nsource: synthesised\n")
    found = load_engine_model("own.yaml", tmp_path)
    assert found == replace(DEFAULT_MODEL, tree_lut_per_bit=0.5, band=(0.9, 1.2), source="synthesised")


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ("data_bits: 0", "2:12: data_bits", "greater than or equal to 1"),
        ("data_bits: 65", "2:12: data_bits", "less than or equal to 64"),
        ("data_bits: 7.5", "2:12: data_bits", "whole number"),
        ("engine_lut: -1", "2:13: engine_lut", "greater than or equal to 0"),
        ("tree_lut_per_bit: -0.5", "2:19: tree_lut_per_bit", "greater than or equal to 0"),
        ("tree_lut_per_bit: .nan", "2:19: tree_lut_per_bit", "finite"),
        ("crossbar: 1", "2:1: crossbar", "unknown key"),
        ("band: [0.5]", "2:7: band", ""),
        ("band: [1.1, 1.2]", "2:7: band", "[above 0 and at most 1, at least 1] is needed"),
        ("band: [0, 1]", "2:7: band", "0 to 1 is not allowed"),
        ("band: [0.5, 0.9]", "2:7: band", "0.5 to 0.9 is not allowed"),
    ],
)
def test_what_is_wrong_has_its_place(tmp_path: Path, line: str, place: str, said: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"name: own\n{line}\n")
    with pytest.raises(InputError) as caught:
        load_engine_model(file)
    assert f"{file}:{place}" in str(caught.value)
    assert said in str(caught.value)


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(InputError, match="unknown engine 'fixed32'; did you mean 'fixed8'"):
        load_engine_model("fixed32")
