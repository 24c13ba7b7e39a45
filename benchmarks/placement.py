"""Seconds to a proven placement: equal layers, a model of 98 layers in 16 ways to run, files of Phaze and others.

Every row is solved by the default solver; CPU and wall seconds, status, step and gap are printed. With ``--data`` (or
``$ACCMINE_DATA``) also ``phaze/placement``, ``phaze/placement_nest`` (under both semantics) and ``partition``.

    python benchmarks/placement.py [--data DIR] [--seconds 60]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from accmine.ports import Stop
from accmine.problems.device_placement import Edge, Layer, Option, Problem
from accmine.solving import load_problem, solve
from accmine.system import Cluster, Level
from accmine.workload.shard import Collective

__all__ = ["equal_layers", "transformer"]

CLUSTER = Cluster(
    "fat tree",
    (Level("node", 8, 3e11, 1e-6), Level("rack", 32, 5e10, 3e-6), Level("all", None, 2.5e10, 5e-6)),
)


def equal_layers(message_bytes: int, gradient_bytes: int) -> Problem:
    """97 layers, 1,024 devices, 4,096 microbatches, tensor degrees 4 and 8."""
    options = tuple(
        Option(
            t,
            "none",
            0.011 / t**0.9,
            0.023 / t**0.9,
            0.002 / t,
            weight_bytes=4 * 10**9 // t,
            gradient_bytes=gradient_bytes // t,
            optimizer_bytes=24 * 10**9 // t,
            stash_bytes=4 * 10**8 // t,
        )
        for t in (4, 8)
    )
    layers = tuple(Layer(f"l{i}", options, "block") for i in range(97))
    edges = tuple(Edge(i, i + 1, message_bytes) for i in range(96))
    return Problem(layers, edges, 1024, 4096, 80 * 10**9, CLUSTER)


def _options(share: float, parameters: int) -> tuple[Option, ...]:
    found = []
    for t in (1, 2, 4, 8):
        for recompute in ("none", "full"):
            forward = share * 0.060 / t**0.95
            summed = (Collective("all-reduce", 50_000_000),) * 2 if t > 1 else ()
            found.append(
                Option(
                    t,
                    recompute,
                    forward,
                    (3 if recompute == "full" else 2) * forward,
                    0.002 / t,
                    forward_collectives=summed,
                    backward_collectives=summed,
                    weight_bytes=2 * parameters // t,
                    gradient_bytes=4 * parameters // t,
                    optimizer_bytes=12 * parameters // t,
                    stash_bytes=50_000_000 if recompute == "full" else int(share * 1.2e9) // t,
                    working_bytes=10**9 // t,
                )
            )
    return tuple(found)


def transformer() -> Problem:
    """About GPT-3: embeddings, 96 blocks, head; four degrees, recomputation or not, 1,024 devices."""
    ends = ("embeddings", _options(0.02, 650_000_000)), ("head", _options(0.33, 650_000_000))
    block = _options(1.0, 1_800_000_000)
    middle = tuple(Layer(f"block.{i}", block, "block") for i in range(96))
    layers = (Layer(*ends[0]), *middle, Layer(*ends[1]))
    edges = tuple(Edge(i, i + 1, 50_000_000) for i in range(97))
    return Problem(layers, edges, 1024, 1536, 80 * 10**9, CLUSTER)


def cases(data: Path | None) -> Iterator[tuple[str, Any]]:
    """Names and problems."""
    yield "97 equal layers", equal_layers(0, 0)
    yield "97 equal layers, messages and gradients", equal_layers(25_000_000, 300_000_000)
    yield "98 layers, 4 degrees, recompute", transformer()
    if data is None:
        return
    for file in sorted(data.glob("phaze/placement*/*.in.json")):
        problem = load_problem(file)
        yield f"{file.name[:-8]} (phaze)", replace(problem, semantics="phaze")
        yield f"{file.name[:-8]} (accmine)", problem
    for file in sorted(data.glob("partition/*_training.json")):
        yield file.stem, load_problem(file)


def main() -> int:
    """Print a row for every case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ACCMINE_DATA"))
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    print(f"{'case':<48}{'CPU s':>8}{'wall s':>8}  {'status':<11}{'value':>14}{'gap':>10}")
    for name, problem in cases(None if given.data is None else Path(given.data)):
        begin = time.process_time()
        result = solve(problem, stop=Stop(seconds=given.seconds, workers=1))
        spent = time.process_time() - begin
        value = "–" if result.objective is None else f"{result.objective:.8g}"
        gap = "–" if result.gap is None else f"{100 * result.gap:.2g} %"
        print(f"{name:<48}{spent:>8.2f}{result.seconds:>8.2f}  {result.status.value:<11}{value:>14}{gap:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
