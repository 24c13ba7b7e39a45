"""What studies of sparse dataflow accelerators read: networks, devices, levels of every source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.files import content_hash
from accmine.sparse.layer import POINT
from accmine.sparse.levels import sources_of
from accmine.study.sparse import read_sparse
from tests.samples.sparse_study_sample import DEVICE, NETWORK, SEVERAL, loaded

HEAD = "layer,level,density,loss\n"


def test_synthetic_levels_say_so(tmp_path: Path) -> None:
    found = read_sparse(loaded(tmp_path))
    assert [layer.name for layer in found.layers] == ["conv0.conv0", "conv1.conv0"]
    assert found.edges == ((0, 1),)
    assert [len(layer.levels) for layer in found.layers] == [3, 3]
    assert sources_of(found.layers) == ("synthetic",)
    assert [layer.levels[0].density for layer in found.unpruned] == [1, 1]
    assert (found.device.dsp, found.device.bits_per_cycle) == (20, Fraction(80))


def test_a_table(tmp_path: Path) -> None:
    first, second = read_sparse(loaded(tmp_path, {"levels": {"table": "table.csv"}})).layers
    assert [(own.name, own.loss, own.source) for own in first.levels] == [
        ("none", 0, "table"),
        ("half", 1.5 * POINT, "table"),
    ]
    assert float(first.levels[1].density) == pytest.approx(0.5, abs=1e-5)
    assert [own.name for own in second.levels] == ["none"]


def test_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"conv0.conv0": ((4, 3, 3, 3), (2, 3, 8, 8)), "conv1.conv0": ((4, 4, 1, 1), (2, 4, 8, 8))}
    arrays = {f"{name}.weight": rng.normal(size=of[0]) for name, of in shapes.items()}
    arrays |= {f"{name}.input": rng.normal(size=of[1]) for name, of in shapes.items()}
    np.savez(tmp_path / "own.npz", **arrays)  # type: ignore[arg-type]
    found = read_sparse(loaded(tmp_path, {"levels": {"arrays": {"file": "own.npz", "count": 2}}}))
    assert [len(layer.levels) for layer in found.layers] == [2, 2]
    assert sources_of(found.layers) == ("arrays, loss by proxy",)


def test_precision_replaces_that_of_the_engine_model(tmp_path: Path) -> None:
    model = read_sparse(loaded(tmp_path, {"precision": {"data": 8, "weight": 4}})).model
    assert (model.data_bits, model.weight_bits, model.sum_bits) == (8, 4, 32)
    assert read_sparse(loaded(tmp_path)).model.weight_bits == 16


def test_content_is_that_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def lost(levels):\n    return 0\n")
    changes = {"accuracy": {"callback": "mine:lost"}, "compare": {"tpe": 0}}
    content = read_sparse(loaded(tmp_path, changes)).content
    assert {Path(name).name: value for name, value in content.items()} == {
        name: content_hash(tmp_path / name) for name in ("mine.py", "small.yaml", "two.yaml")
    }


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("small.yaml", DEVICE.replace("dsp: 20", "dsp: 0"), r"small\.yaml:2:6: dsp: must be greater than or"),
        ("small.yaml", DEVICE.replace("name: small\n", ""), r"small\.yaml:1:1: name: is required"),
        ("two.yaml", NETWORK.split("layers")[0] + "layers: [relu]\n", r"yaml:\d+:\d+: network: .*no convolution"),
        ("table.csv", HEAD + "conv0.conv0,a,2,0\n", r"table\.csv:2: density: 2 is not allowed; 0 to 1"),
        ("table.csv", HEAD + "conv0.conv0,a,1,0\n", r"conv1\.conv0"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_has_its_place(tmp_path: Path, file: str, text: str, said: str) -> None:
    study = loaded(tmp_path, {"levels": {"table": "table.csv"}})
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError, match=said):
        read_sparse(study)


def test_several_devices(tmp_path: Path) -> None:
    found = read_sparse(loaded(tmp_path, {**SEVERAL, "devices": ["small.yaml", "u250"]}))
    assert [own.name for own in found.devices] == ["small", "u250"]
    assert {Path(name).name for name in found.content} == {"small.yaml", "three.yaml"}
    with pytest.raises(ValueError, match="too many values"):
        _ = found.device


def test_more_devices_than_places_to_cut(tmp_path: Path) -> None:
    study = loaded(tmp_path, {**SEVERAL, "devices": ["u250"] * 4})
    with pytest.raises(InputError, match=r"yaml:\d+:\d+: devices: 4 devices are too many for 2 places where 3 layers"):
        read_sparse(study)


def test_a_wrong_file_of_several(tmp_path: Path) -> None:
    study = loaded(tmp_path, SEVERAL)
    (tmp_path / "small.yaml").write_text(DEVICE.replace("dsp: 20", "dsp: 0"))
    with pytest.raises(InputError, match=r"small\.yaml:2:6: dsp: must be greater than or"):
        read_sparse(study)
