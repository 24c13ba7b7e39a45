"""docs/sparse-dataflow.md, several devices: its study is the shipped one, and its keys are those there are."""

from __future__ import annotations

import re
from pathlib import Path

from accmine.files import load_yaml, validate
from accmine.sparse.device import load_device
from accmine.study import read_document
from accmine.study.sparse import SparseStudy, read_sparse, sparse_in

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/sparse-dataflow.md").read_text(encoding="utf-8").partition("## Several devices")[2]


def test_the_study_is_the_shipped_one() -> None:
    text = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    shipped = sparse_in(*read_document("sparse-two-boards")).study
    assert validate(load_yaml(text=text), SparseStudy) == shipped.model_copy(update={"description": ""})


def test_neither_board_holds_the_weights_and_both_do() -> None:
    inputs = read_sparse(sparse_in(*read_document("sparse-two-boards")))
    bits = sum(layer.parameters for layer in inputs.layers) * inputs.model.weight_bits
    has = [18 * 1024 * own.bram18 + 288 * 1024 * own.uram for own in map(load_device, ("zcu102", "zcu104"))]
    assert round(bits / 1e6) == 47
    assert max(has) < bits < sum(has)
    assert "4 bits a weight are 47 Mbit" in PAGE


def test_what_is_refused_is_said() -> None:
    assert "`accuracy`, `prefer`, `buys` and `compare.tpe`" in PAGE
