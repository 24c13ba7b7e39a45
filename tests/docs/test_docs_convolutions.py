"""The figures of docs/convolutions.md, computed again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from accmine.workload import WINDOW, forward_graph, fuse, load_model, local_bytes, training_graph
from accmine.workload.residency import resident

DOC = (Path(__file__).parents[2] / "docs" / "convolutions.md").read_text(encoding="utf-8")
ZEROS = re.findall(r"^\| `(\S+)` \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) % \|$", DOC, re.MULTILINE)
SAVED = re.findall(r"^\| `(\S+)`, (\d+), (\w+) \|((?: [\d.]+ % \|){4})$", DOC, re.MULTILINE)


def test_the_tables_are_there() -> None:
    assert len(ZEROS) == 6
    assert len(SAVED) == 7
    assert f"`window` ({WINDOW})" in DOC


@pytest.mark.parametrize(("name", "macs", "inserted", "percent"), ZEROS)
def test_inserted_zeros(name: str, macs: str, inserted: str, percent: str) -> None:
    graph = training_graph(forward_graph(load_model(name), batch=1))
    found = sum(o.work.gemm.inserted for o in graph.operators if o.work.gemm)
    assert (f"{graph.macs:,}", f"{found:,}") == (macs, inserted)
    assert f"{100 * found / graph.macs:.1f}" == percent


@pytest.mark.parametrize(("name", "batch", "split", "shares"), SAVED)
def test_saved_traffic(name: str, batch: str, split: str, shares: str) -> None:
    graph = resident(fuse(training_graph(forward_graph(load_model(name), batch=int(batch), split=split))))
    total = sum(o.work.bytes_in + o.work.bytes_out for o in graph.operators)
    found = [sum(local_bytes(o.work, mib << 20) for o in graph.operators) / total for mib in (4, 16, 64, 256)]
    assert [f"{100 * share:.1f}" for share in found] == re.findall(r"[\d.]+", shares)


def test_border_share() -> None:
    size, kernel = 7, 3
    inside = (kernel * size - 2) ** 2
    assert f"{1 - inside / (kernel * size) ** 2:.0%}".replace("%", " %") in DOC
