"""docs/sparse-dataflow.md: its worked example, its arithmetic and its files say what the code does."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest

from accmine.problems.sparse_dataflow import check, score
from accmine.solving import load_problem, solve
from accmine.sparse.device import load_device
from accmine.sparse.engine import DEFAULT_MODEL
from accmine.sparse.folding import DENSE, SPARSE, Folding
from accmine.sparse.layer import PARTS, Layer, Level, binomial
from accmine.sparse.levels import ALL_ENERGY_POINTS, SOURCES, Thresholds, levels_of_table, zero_products
from accmine.sparse.levels.arrays import PARTS_OF_ARRAYS
from accmine.sparse.network import network_layers
from accmine.sparse.rate import cycles, mean_cycles, stream_cycles
from accmine.sparse.resources import used
from accmine.workload import forward_graph, load_model

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/sparse-dataflow.md").read_text(encoding="utf-8")
LEVEL = Level("pruned", ((PARTS // 4, 0, 0, PARTS // 2, 0, 0, PARTS // 4, 0, 0, 0),))
CONV = Layer("conv", 4, 8, (3, 3), (8, 8), (8, 8), levels=(LEVEL,))
CHOSEN = Folding(SPARSE, 2, 4, 1, 2)


def says(text: str) -> None:
    assert " ".join(text.split()) in " ".join(PAGE.split())


def test_the_example_is_what_the_code_says() -> None:
    assert LEVEL.density == Fraction(2, 3)
    assert mean_cycles(LEVEL.histograms[0], 2) == PARTS * 13 // 4
    assert CONV.windows // CHOSEN.engines == 256
    longest = 5 - 2 * 0.75**8 - 0.25**8
    assert round(longest, 6) == 4.799759
    assert cycles(CONV, LEVEL, CHOSEN) == ceil(256 * longest) == 1229
    assert 256 * 13 // 4 == 832
    assert stream_cycles(CONV, CHOSEN) == 128
    assert cycles(CONV, LEVEL, Folding(DENSE, 2, 4, 1, 3)) == 768
    dsp, lut, ff, *blocks = used(CONV, CHOSEN, DEFAULT_MODEL)
    assert (dsp, lut, ff) == (16, 4057, 2160)
    assert not any(blocks)
    engine = 60 + 0.34 * 32 * 2 * 8 + 9 * (0.17 * 32 + 2 * 2) + 32 + 32 + 16
    assert ceil(8 * engine + 2 * 144) == 3481
    assert lut == 3481 + 8 * 16 + 16 * (8 + 20)
    for number in ("density 2/3", "4.799759", "1,229", "= 832", "= 768", "128 in", "3,481", "4,057", "2,160"):
        says(number)


def test_it_is_a_layer_of_the_example_file() -> None:
    problem = load_problem(ROOT / "examples/sparse-dataflow.json")
    conv = problem.layers[0]
    assert conv.levels[1].histograms == LEVEL.histograms
    assert cycles(conv, conv.levels[1], CHOSEN) == 1229
    found = solve(problem)
    assert found.solution is not None
    assert found.objective == found.bound == score(problem, found.solution)
    assert check(problem, found.solution) == ()


def test_the_published_figure_is_easy_to_pass() -> None:
    dsp = load_device("u250").dsp
    assert ceil(250_000_000 / 4895) == 51_073
    for millions, each, share in ((56.5, 1106, 9), (216.6, 4241, 35)):
        assert abs(millions * 1e6 / 51_073 - each) < 1
        assert round(100 * each / dsp) == share
        says(f"{each:,}")
    says("9 % and 35 % of the DSPs of a U250")


def test_logic_ends_before_multipliers() -> None:
    own = Layer("c", 64, 64, (3, 3), (56, 56), (56, 56), levels=(Level("0", (binomial(9, Fraction(1)),)),))
    alone = replace(DEFAULT_MODEL, window_lut_per_bit=0.0, buffer_lut=0)
    chosen = Folding(SPARSE, 1, 1, 1, 3, "stream")
    lut = used(own, chosen, alone)[1]
    assert used(own, chosen, DEFAULT_MODEL)[1] - lut == 304
    each = [load_device(name).lut / load_device(name).dsp for name in ("u250", "zcu102")]
    assert (lut, round(lut / 3), *map(round, each)) == (553, 184, 141, 109)
    says("take 553 LUTs beside the sliding window that engines share, 184 for each")
    says("a U250 has 141 LUTs to a DSP and a ZCU102 109")
    says("785 LUTs a stream, here 304")
    least, most = DEFAULT_MODEL.band
    says(f"factors {least} and {most}")


def test_the_file_of_a_device_is_one(tmp_path: Path) -> None:
    text = re.search(r"```yaml\n(name: my-board.*?)```", PAGE, flags=re.DOTALL)
    assert text
    (tmp_path / "board.yaml").write_text(text[1])
    own = load_device("board.yaml", tmp_path)
    assert own.bram18 == 288
    assert own.bits_per_cycle == 768


@pytest.mark.parametrize("text", ["read in source", "abstract only", "derived by us", "recalled"])
def test_where_it_comes_from_is_said(text: str) -> None:
    assert f"**{text}**" in PAGE


NETWORKS = (
    *("resnet-18", "resnet-34", "resnet-50", "vgg-16", "mobilenet-v2"),
    *("mobilenet-v3-small", "mobilenet-v3-large", "efficientnet-b0"),
)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_layers_that_the_page_counts(name: str) -> None:
    model = load_model(name)
    layers, edges = network_layers(forward_graph(model, batch=1, dropout=False, loss=False))
    macs = sum(layer.macs for layer in layers)
    says(f"| `{name}` | {len(layers)} | {len(edges)} | {model.parameters:,} | {macs:,} |")


def test_the_table_of_the_page_is_read(tmp_path: Path) -> None:
    text = PAGE.partition("```text\nlayer,level")[2].partition("```")[0]
    file = tmp_path / "levels.csv"
    file.write_text(f"layer,level{text}")
    layers, _ = network_layers(forward_graph(load_model("resnet-18"), batch=1))
    first, last = levels_of_table(file, [layers[0], layers[-1]])
    assert (first.levels[0].density, last.levels[0].loss) == (Fraction(1), 250_000)
    for part in (*SOURCES, f"{ALL_ENERGY_POINTS} points is made up", *(f"`LAYER.{own}`" for own in PARTS_OF_ARRAYS)):
        says(part)


def test_zeros_of_a_border_are_as_many_as_the_page_says() -> None:
    layer = replace(CONV, size_in=(7, 7), size_out=(7, 7), padding=(1, 1, 1, 1))
    found = zero_products(layer, np.ones((8, 4, 3, 3)), np.ones((1, 4, 7, 7)), Thresholds(0, 0))
    assert round(100 * (1 - float(Level("", found).density))) == 18
    says("on 7×7 maps they are 18 % of a 3×3 layer")
