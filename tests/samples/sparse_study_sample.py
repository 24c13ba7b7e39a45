"""A study of a sparse dataflow accelerator that is decided in a second: two convolutions on a small device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from accmine.questions.sparse.study.record import SparseOutcome
from accmine.questions.sparse.study.run import run_sparse
from accmine.study import read_document
from accmine.study.sparse import LoadedSparse, sparse_in

__all__ = ["DEVICE", "NETWORK", "SEVERAL", "STUDY", "TABLE", "loaded", "run_one", "written"]

NETWORK = """\
name: two
family: convnet
image: 8
layers:
  - conv: {out: 4, kernel: 3, padding: 1, bias: false}
  - relu
  - conv: {out: 4, kernel: 1, bias: false}
"""

LONGER = f"""\
{NETWORK.replace("name: two", "name: three")}  - relu
  - conv: {{out: 8, kernel: 1, bias: false}}
"""

DEVICE = """\
name: small
dsp: 20
lut: 20000
ff: 40000
bram18: 40
frequency: 100 MHz
bandwidth: 1 GB/s
source: made up for tests
"""

STUDY: dict[str, Any] = {
    "name": "two",
    "kind": "sparse-dataflow",
    "network": {"use": "two.yaml"},
    "device": "small.yaml",
    "levels": {"synthetic": {"count": 3}},
    "loss": 5,
    "slack": [1, 4],
    "memories": ["bram", "stream"],
    "compare": {"tpe": 4},
    "budget": {"seconds": 60, "workers": 1},
}
"""Keys of the study; its files lie beside it."""

SEVERAL: dict[str, Any] = {
    "network": {"use": "three.yaml"},
    "device": None,
    "devices": ["small.yaml", {"use": "small.yaml", "limits": {"dsp": 0.5}}],
    "links": 2,
    "compare": {"dense": False, "tpe": 0},
}
"""Changes that make it one over two devices, of three convolutions."""

TABLE = """\
layer,level,density,loss
conv0.conv0,none,1,0
conv0.conv0,half,0.5,1.5
conv1.conv0,none,1,0
"""


def written(folder: Path, changes: Mapping[str, Any] | None = None, name: str = "study.yaml") -> Path:
    """The study with its files in a folder; ``None`` takes a key away."""
    for file, text in (("two.yaml", NETWORK), ("three.yaml", LONGER), ("small.yaml", DEVICE), ("table.csv", TABLE)):
        (folder / file).write_text(text)
    keys = {key: value for key, value in {**STUDY, **(changes or {})}.items() if value is not None}
    (folder / name).write_text(yaml.safe_dump(keys, sort_keys=False))
    return folder / name


def loaded(folder: Path, changes: Mapping[str, Any] | None = None) -> LoadedSparse:
    """The study, read and checked."""
    return sparse_in(*read_document(written(folder, changes)))


def run_one(study: LoadedSparse, **how: Any) -> SparseOutcome:
    """The outcome of a study of one device."""
    found = run_sparse(study, **how)
    assert isinstance(found, SparseOutcome)
    return found
