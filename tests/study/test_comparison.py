"""Documents with a ``compare:`` block."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.study.comparison import Comparison, load_comparison
from tests.samples.gap_sample import study_text


def write(folder: Path, block: Any = None, **keys: Any) -> Path:
    """A study with a block."""
    table = json.loads(study_text(name="tiny")) | keys
    file = folder / "tiny.yaml"
    file.write_text(json.dumps(table | ({} if block is None else {"compare": block})))
    return file


def test_without_a_block_the_defaults_hold(tmp_path: Path) -> None:
    found = load_comparison(write(tmp_path))
    assert found.compare == Comparison()
    assert found.compare.limits == (10.0, None)
    assert found.loaded is not None
    assert found.loaded.study.name == "tiny"


def test_the_block_and_the_study(tmp_path: Path) -> None:
    found = load_comparison(write(tmp_path, {"seeds": 2, "evaluations": 7}), ["compare.seeds=4"], study=["seed=1"][:0])
    assert (found.compare.seeds, found.compare.limits) == (4, (None, 7))


def test_the_shipped_table() -> None:
    found = load_comparison("wham-table", study=["objective=bottleneck"])
    assert (found.name, found.compare.suite, found.loaded) == ("wham-table", "wham", None)
    assert found.compare.metrics == ("throughput", "throughput-per-tdp")


@pytest.mark.parametrize(
    ("block", "keys", "message"),
    [
        ({"models": ["vgg-16"]}, {}, "compare.models: chooses rows of a suite; give compare.suite as well"),
        ({"methods": []}, {}, "compare.methods"),
        ({"methods": ["ga", "ga"]}, {}, r"compare.methods\[?\.?1\]?: 'ga' is named twice"),
        ({"seeds": 0}, {}, "compare.seeds"),
        ({"seconds": -1}, {}, "compare.seconds"),
        ({"budget": 3}, {}, "compare.budget: unknown key|compare.budget"),
        ({"suite": "wham"}, {}, "has no effect beside compare.suite"),
        (3, {}, "compare"),
        (None, {"colour": 1}, "colour"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, block: Any, keys: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_comparison(write(tmp_path, block, **keys))
    assert "tiny.yaml" in str(caught.value)
