"""The page of models names every head and architecture, and the bounds as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from accmine.workload import TransformerConfig
from accmine.workload.graph import MOST_BYTES, MOST_MACS, MOST_OPERATORS
from accmine.workload.importers.model_types import ARCHITECTURES, FIXED, REFUSED
from accmine.workload.importers.models import FAMILIES
from accmine.workload.importers.values import LARGEST

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_heads_and_families() -> None:
    section = PAGE.partition("## `config.json`")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.M)[-6:] == list(
        get_args(TransformerConfig.model_fields["head"].annotation)
    )
    assert all(f"`{family}`" in section for family in FAMILIES)


def test_architectures() -> None:
    for model_type, known in ARCHITECTURES.items():
        assert f"| `{model_type}` | {', '.join(f'`{name}`' for name in known)} |" in PAGE
    section = PAGE.partition("| type | not modelled |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.M) == list(REFUSED.items())
    assert FIXED["pruned_heads"] == ({},)
    assert FIXED["quantization_config"] == ()
    assert FIXED["position_embedding_type"] == ("absolute",)


def test_bounds() -> None:
    assert f"| a size | {LARGEST:,} |" in PAGE
    assert f"multiplied out | {MOST_OPERATORS:,} |" in PAGE
    assert MOST_BYTES == MOST_MACS == 2**60
    assert "of a microbatch | 2^60 |" in PAGE
