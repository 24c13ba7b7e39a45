"""Sparse dataflows: seconds to proof, what TPE reaches of the proven optimum, and the direct model beside bisection.

Levels are made up (``synthetic``), so intervals say nothing about a real network, and shares of TPE nothing about HASS,
whose trials evaluate the network itself. Problems are those of studies: limits of a device with 80 % of its LUTs,
all engines, memories and slacks, adapters where streams differ, eight levels a layer and a budget of loss in points.

* proof: networks x (device, its share, loss), seconds with the tables of options included;
* tpe: interval of the proven optimum over that of TPE after some trials, for DSPs and loss alone, two seeds each;
* direct: CP-SAT with the interval as a variable beside bisection, on the first layers of networks with DSPs and loss.

    python benchmarks/sparse_dataflow.py [--only proof tpe direct] [--networks ...] [--trials 500] [--without-adapters]

Proofs with some of the limits, and weights in some of the memories, which are free where their limit is left out:

    python benchmarks/sparse_dataflow.py --only proof --limits dsp lut bram18 loss [--memories bram]
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any

from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Budget, Problem
from accmine.problems.sparse_dataflow.options import tabulate
from accmine.result import Result, Status
from accmine.solving import solve
from accmine.sparse.device import load_device
from accmine.sparse.layer import POINT, Layer
from accmine.sparse.levels import synthetic_levels
from accmine.sparse.network import network_layers
from accmine.workload import forward_graph, load_model

__all__ = ["BUDGETS", "NETWORKS", "problem"]

NETWORKS = (
    "resnet-18",
    "resnet-34",
    "resnet-50",
    "mobilenet-v2",
    "mobilenet-v3-small",
    "mobilenet-v3-large",
    "efficientnet-b0",
    "vgg-16",
)
BUDGETS = (("u250", 1.0, 2.0), ("u250", 0.2, 1.0), ("zcu102", 1.0, 2.0))
"""Device, the share of it that may be used, and points of loss."""

LIMITS = tuple(field.name for field in fields(Budget))
MEMORIES = ("bram", "uram", "stream")

_LUTS = Fraction(8, 10)
_TRIED_WITH = ("u250", 0.2, 2.0)
_TRIED = ("resnet-18", "resnet-50", "mobilenet-v3-large")
_FIRST = (("resnet-18", 2), ("resnet-18", 8), ("mobilenet-v3-small", 8), ("mobilenet-v3-small", 24))
"""Networks, and how many of their layers."""


@cache
def _layers(name: str, levels: int) -> tuple[tuple[Layer, ...], tuple[tuple[int, int], ...]]:
    layers, edges = network_layers(forward_graph(load_model(name), batch=1, dropout=False, loss=False))
    return synthetic_levels(layers, levels), edges


def problem(name: str, device: str, share: float, loss: float, *, levels: int = 8, adapters: bool = True) -> Problem:
    """A network on a share of a device with so many points to lose."""
    layers, edges = _layers(name, levels)
    chip = load_device(device)
    part = Fraction(str(share))
    blocks = {key: floor(part * (_LUTS if key == "lut" else 1) * count) for key, count in chip.blocks().items()}
    budget = Budget(**blocks, bits_per_cycle=part * chip.bits_per_cycle, loss=floor(loss * POINT))
    memories = tuple(key for key in MEMORIES if chip.uram or key != "uram")
    return Problem(layers, edges if adapters else (), budget, memories=memories, name=f"{name}, {device} x {share:g}")


def _cut(own: Problem, limits: Sequence[str], memories: Sequence[str]) -> Problem:
    """The problem with these of its limits and memories alone."""
    budget = Budget(**{key: getattr(own.budget, key) for key in limits})
    return replace(own, budget=budget, memories=tuple(key for key in own.memories if key in memories))


def _first(name: str, count: int) -> Problem:
    """The first layers of a network with small tables, on a device that is not large."""
    layers = _layers(name, 4)[0][:count]
    budget = Budget(dsp=20 * count, loss=sum(own.levels[-1].loss for own in layers) // 4)
    return Problem(layers, (), budget, memories=("bram",), slacks=(16,), name=f"{name}, first {count}")


def _timed(own: Problem, solver: str, stop: Stop, seed: int = 0) -> tuple[Result[Any], float, float]:
    """A result, its seconds, and those of the processors: much fewer per worker on a machine that is busy."""
    start, used = time.perf_counter(), time.process_time()
    found = solve(own, solver, stop=stop, seed=seed)
    return found, time.perf_counter() - start, time.process_time() - used


def _line(*cells: object) -> None:
    widths = (30, 8, 12, 12, 10, 12, 12)
    print(
        "  ".join(
            f"{cell:>{w}}" if i else f"{cell:<{w}}" for i, (cell, w) in enumerate(zip(cells, widths, strict=False))
        ),
        flush=True,
    )


def _proof(problems: Iterable[Problem], seconds: float) -> None:
    _line("network, device", "loss", "interval", "bound", "status", "seconds", "cpu s")
    worst, proven, count = 0.0, 0, 0
    for own in problems:
        found, took, used = _timed(own, "bisection", Stop(seconds=seconds, workers=2))
        worst, count = max(worst, took), count + 1
        proven += found.status in (Status.OPTIMAL, Status.INFEASIBLE)
        loss = "-" if own.budget.loss is None else own.budget.loss / POINT
        values = found.objective or "-", found.bound or "-", found.status
        _line(own.name, loss, *values, f"{took:.2f}", f"{used:.2f}")
    print(f"{proven} of {count} proven; slowest: {worst:.2f} s")


def _tpe(networks: Sequence[str], trials: int) -> None:
    _line("network, device", "seed", "optimum", "tpe", "share", "first 96", "seconds")
    for name in networks:
        whole = problem(name, *_TRIED_WITH, adapters=False)
        own = replace(whole, budget=Budget(dsp=whole.budget.dsp, loss=whole.budget.loss))
        best = solve(own, "dynamic-programming")
        for seed in (0, 1):
            found, took, _ = _timed(own, "tpe", Stop(work=trials), seed)
            values = found.objective, found.pool[min(95, len(found.pool) - 1)].best
            shares = [f"{best.objective / value:.3f}" if value and best.objective else "-" for value in values]
            proven = best.objective if best.status is Status.OPTIMAL else f"{best.objective}?"
            _line(own.name, seed, proven, found.objective or "-", *shares, f"{took:.1f}")


def _direct(seconds: float) -> None:
    _line("layers", "options", "bisection", "direct", "status", "bound", "s, s")
    for name, count in _FIRST:
        own = _first(name, count)
        options = sum(table.cycles.size for table in tabulate(own))
        found, took, _ = _timed(own, "bisection", Stop(seconds=seconds, workers=2))
        other, longer, _ = _timed(own, "cp-sat", Stop(seconds=seconds, workers=2))
        values = found.objective or "-", other.objective or "-", other.status, other.bound or "-"
        _line(own.name, options, *values, f"{took:.1f}, {longer:.1f}")


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["proof", "tpe", "direct"], choices=["proof", "tpe", "direct"])
    parser.add_argument("--networks", nargs="*", help="of the catalogue; default: eight, and three of them for tpe")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=120.0, help="limit of each proof, and of each direct model")
    parser.add_argument("--without-adapters", action="store_true")
    parser.add_argument("--limits", nargs="+", default=LIMITS, choices=LIMITS, help="of proofs; default: all")
    parser.add_argument("--memories", nargs="+", default=MEMORIES, choices=MEMORIES, help="of proofs; default: all")
    options = parser.parse_args()
    if "proof" in options.only:
        cases = itertools.product(options.networks or NETWORKS, BUDGETS)
        whole = (problem(name, *limits, adapters=not options.without_adapters) for name, limits in cases)
        _proof((_cut(own, options.limits, options.memories) for own in whole), options.seconds)
    if "tpe" in options.only:
        _tpe(options.networks or _TRIED, options.trials)
    if "direct" in options.only:
        _direct(options.seconds)


if __name__ == "__main__":
    main()
