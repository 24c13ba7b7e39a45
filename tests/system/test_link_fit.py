"""Constants of a level from measured all-reduces."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.system import Cluster, Level, load_cluster
from accmine.system.collectives import seconds
from accmine.system.link_fit import AllReduceFit, fit_all_reduce

SIZES = [2.0**k for k in range(10, 31, 2)]
TRUE = AllReduceFit(2e11, 2e-6, 4e-5)


def rows_of(fit: AllReduceFit) -> list[tuple[int, float, float]]:
    return [(n, size, fit.seconds(n, size)) for n in range(2, 9) for size in SIZES]


def test_constants_are_found_again() -> None:
    assert fit_all_reduce(rows_of(TRUE)) == pytest.approx(TRUE)
    noise = np.random.default_rng(1).normal(1, 0.03, len(rows_of(TRUE)))
    noisy = [(n, size, t * f) for (n, size, t), f in zip(rows_of(TRUE), noise, strict=True)]
    assert fit_all_reduce(noisy) == pytest.approx(TRUE, rel=0.1)


def test_a_fit_is_a_level() -> None:
    cluster = Cluster("x", (Level("node", 8, TRUE.bytes_per_s, TRUE.latency_s, start_s=TRUE.start_s),))
    for n, size, t in rows_of(TRUE):
        assert seconds(cluster, "all-reduce", [size], n, algorithm="ring")[0] == pytest.approx(t)


def test_no_constant_is_negative() -> None:
    # longer with fewer devices, as on machines whose links are uneven
    falling = [(n, size, size / 1e11 * (3 - n / 4) + 1e-5) for n in range(2, 9) for size in SIZES]
    assert min(fit_all_reduce(falling)) == 0.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (rows_of(TRUE)[:3], "3 all-reduces; at least 4"),
        ([(1, 1.0, 1.0)] * 4, "two devices or more"),
        ([(2, 1.0, 0.0)] * 4, "above 0"),
    ],
)
def test_refusals(rows: list[tuple[int, float, float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_all_reduce(rows)


@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
def test_measured_all_reduces_that_were_left_out() -> None:
    file = Path(os.environ["ACCMINE_DATA"]) / "nccl_allreduce_intranode.csv"
    with file.open(newline="", encoding="utf-8") as stream:
        table = [row for row in csv.DictReader(stream) if row["device"] == "A100"]
    rows = [(int(r["n_gpus"]), float(r["bytes"]), 1e-6 * float(r["out_of_place_time_us"])) for r in table]

    def errors(fit: AllReduceFit, scored: list[tuple[int, float, float]]) -> np.ndarray:
        return np.array([abs(fit.seconds(n, size) / t - 1) for n, size, t in scored])

    for ranks in range(2, 9):  # the fit has not seen this number of devices
        fit = fit_all_reduce([row for row in rows if row[0] != ranks])
        left_out = errors(fit, [row for row in rows if row[0] == ranks])
        assert left_out.mean() < 0.10
        assert left_out.max() < 0.25
    fit = fit_all_reduce(rows)
    assert errors(fit, rows).mean() < 0.065
    node, network = load_cluster("dgx-a100").levels
    assert (node.bytes_per_s * node.efficiency, node.latency_s, node.start_s) == pytest.approx(fit, rel=5e-3)
    assert network.start_s == node.start_s
