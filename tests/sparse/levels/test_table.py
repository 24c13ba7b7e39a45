"""Tables of levels: CSV and YAML alike, and every complaint with its line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.sparse.layer import PARTS, Layer, Level, binomial
from accmine.sparse.levels import TABLE, levels_of_table, sources_of

LAYERS = (
    Layer("conv", 4, 8, (1, 2), (3, 3), (3, 2), levels=(Level("dense", (binomial(2, Fraction(1)),)),)),
    Layer("fc", 8, 4, cluster=4, levels=(Level("dense", (binomial(4, Fraction(1)),)),)),
)
CSV = """# made by hand
layer,level,density,histogram,loss
conv,none,1,,0

conv,half,,0.25 0.5 0.25,0.2
conv,each,,1 1 0|1 0 1|0 1 1|0.5 0.25 0.25,0.3
fc,none,0.5,,0
"""
YAML = """levels:
  - {layer: conv, level: none, density: 1, loss: 0}
  - {layer: conv, level: half, histogram: [0.25, 0.5, 0.25], loss: 0.2}
  - layer: conv
    level: each
    histogram: [[1, 1, 0], [1, 0, 1], [0, 1, 1], [0.5, 0.25, 0.25]]
    loss: 0.3
  - {layer: fc, level: none, density: 0.5, loss: 0}
"""


def written(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_csv_and_yaml_say_the_same(tmp_path: Path) -> None:
    found = levels_of_table(written(tmp_path, CSV), LAYERS)
    assert found == levels_of_table(written(tmp_path, YAML, "t.yaml"), LAYERS)
    none, half, each = found[0].levels
    assert (none.name, none.loss, none.density) == ("none", 0, Fraction(1))
    assert (half.loss, half.histograms) == (200_000, ((PARTS // 4, PARTS // 2, PARTS // 4),))
    quarter = PARTS // 4
    assert each.histograms == (
        (2 * quarter, 2 * quarter, 0),
        (2 * quarter, 0, 2 * quarter),
        (0, 2 * quarter, 2 * quarter),
        (2 * quarter, quarter, quarter),
    )
    assert found[1].levels[0].histograms == (binomial(4, Fraction(1, 2)),)
    assert sources_of(found) == (TABLE,)
    assert [(layer.name, layer.macs) for layer in found] == [(layer.name, layer.macs) for layer in LAYERS]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("conv,x,1.2,,0", "t.csv:3: density: 1.2 is not allowed; 0 to 1"),
        ("conv,x,-0.1,,0", "t.csv:3: density: -0.1 is not allowed; 0 to 1"),
        ("conv,x,nan,,0", "t.csv:3: density: 'nan' is not allowed; a number is needed"),
        ("conv,x,.inf,,0", "t.csv:3: density: must be a finite number"),
        ("conv,x,010,,0", "t.csv:3: density: 010 has a leading zero"),
        ("conv,x,half,,0", "t.csv:3: density: 'half' is not allowed; a number is needed, 0 to 1"),
        ("conv,x,,0.2 0.2 0.2,0", "t.csv:3: histogram: sums to 0.6; shares that sum to 1, or counts, are needed"),
        ("conv,x,,0.5 0.5,0", "t.csv:3: histogram: 2 numbers; 3 are needed, for 0 to 2 zero products"),
        ("conv,x,,1 0 0|1 0 0,0", "t.csv:3: histogram: 2 histograms; allowed: 1, or one for each of 4 groups"),
        ("conv,x,,1.5 -0.5 0,0", "t.csv:3: histogram: -0.5 is not allowed; at least 0"),
        ("conv,x,,0 0 0,0", "t.csv:3: histogram: sums to 0"),
        ("conv,x,1,1 0 0,0", "t.csv:3: density: density and histogram are given; one of them is needed"),
        ("conv,x,1,,1e10", "t.csv:3: loss: 10000000000 is not allowed; 0 to 1,000,000,000"),
        ("conv,x,,,0", "t.csv:3: density: either density or histogram is needed"),
        ("conv,x,1,,", "t.csv:3: loss: loss is missing"),
        ("conv,x,1,,-2", "t.csv:3: loss: -2 is not allowed; 0 to 1,000,000,000"),
        ("conv,x,1,,1e300", "t.csv:3: loss: 1e+300 is not allowed"),
        ("conv,none,1,,0", "t.csv:3: level: 'none' is there twice for conv"),
        ("conf,x,1,,0", "t.csv:3: layer: 'conf' is no layer of the network; did you mean 'conv'"),
        (",x,1,,0", "t.csv:3: layer: layer is missing"),
        ("conv,x,1,0", "t.csv:3: 4 cells under 5 columns"),
        ('conv,"x,1,,0', "t.csv:3: is no row of CSV"),
    ],
)
def test_a_wrong_row_has_its_line(tmp_path: Path, row: str, message: str) -> None:
    text = f"layer,level,density,histogram,loss\nconv,none,1,,0\n{row}\nfc,none,1,,0\n"
    with pytest.raises(InputError) as caught:
        levels_of_table(written(tmp_path, text), LAYERS)
    assert message in str(caught.value)


def test_a_layer_without_a_level(tmp_path: Path) -> None:
    text = "layer,level,density,loss\nconv,none,1,0\n"
    with pytest.raises(InputError, match=r"t\.csv: layer: no level for fc; each layer needs one at least"):
        levels_of_table(written(tmp_path, text), LAYERS)


def test_all_complaints_at_once(tmp_path: Path) -> None:
    text = "levels:\n  - {layer: conv, level: a, density: 2, loss: 0}\n  - {layer: fc, level: a, density: 1, los: 0}\n"
    with pytest.raises(InputError) as caught:
        levels_of_table(written(tmp_path, "layer,level,density,loss\nconv,a,.nan,0\nconv\nfc,a,2,0\n"), LAYERS)
    assert [line.partition("t.csv:")[2][:2] for line in str(caught.value).splitlines()] == ["2:", "3:", "4:"]
    with pytest.raises(InputError) as caught:
        levels_of_table(written(tmp_path, text, "t.yaml"), LAYERS)
    first, second, third = str(caught.value).splitlines()
    assert first.endswith("t.yaml:2:38: levels.0.density: 2 is not allowed; 0 to 1")
    assert "t.yaml:3:" in second
    assert "levels.1.los: unknown key 'los'; did you mean 'loss'?" in second
    assert third.endswith("levels.1.loss: loss is missing")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "no row; a header is needed: layer, level"),
        ("t.csv", "# nothing\n", "no row; a header is needed"),
        ("t.csv", "layer,level,dens,loss\n", "t.csv:1: column 'dens' is unknown; did you mean 'density'?"),
        ("t.csv", "layer,level,loss,loss\n", "t.csv:1: column 'loss' is there twice; allowed: layer"),
        ("t.yaml", "- 1\n", "a mapping with a list 'levels' of rows is needed"),
        ("t.yaml", "levels: []\n", "t.yaml:1:9: levels: a mapping with a list 'levels' of rows is needed"),
        ("t.yaml", "levels: [1]\n", "t.yaml:1:10: 1 is not allowed; a row is needed"),
        ("t.yaml", "levels: [{}]\nloss: 1\n", "t.yaml:2:1: loss: unknown key 'loss'; allowed: levels"),
        ("t.yaml", "levels: [{layer: conv, level: true, density: 1, loss: 0}]\n", "level: True is not allowed; a name"),
        ("t.yaml", "levels: [{layer: conv, level: 1, histogram: 3, loss: 0}]\n", "histogram: 3 is not allowed; a list"),
        (
            "t.yaml",
            "levels: [{layer: conv, level: 1, histogram: [a, b, c], loss: 0}]\n",
            "'a' is not allowed; a number",
        ),
        ("none.csv", None, "no such file"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError) as caught:
        levels_of_table(file, LAYERS)
    assert message in str(caught.value)


def test_small_densities_are_quick_and_right(tmp_path: Path) -> None:
    text = "layer,level,density,loss\nconv,a,5e-324,0\nfc,a,0.3333333333333333333,0\n"
    conv, fc = levels_of_table(written(tmp_path, text), LAYERS)
    assert conv.levels[0].histograms == ((0, 0, PARTS),)
    assert fc.levels[0].histograms == (binomial(4, Fraction(1, 3)),)


def test_losses_are_rounded_up(tmp_path: Path) -> None:
    text = CSV.replace("0.25 0.5 0.25,0.2", "0.25 0.5 0.25,0.2000001")
    assert levels_of_table(written(tmp_path, text), LAYERS)[0].levels[1].loss == 200_001
