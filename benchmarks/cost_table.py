"""Evaluations per second of the cost table: operators x core types x splits, with the search for tiles and grids.

Processor time of one process, the best of three runs: other programs disturb it less than wall time.

    python benchmarks/cost_table.py [WORKS]
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from itertools import product
from typing import TypeVar

from accmine.cost import MemorySystem, combine, tensor_costs, vector_costs
from accmine.hardware import TensorCore, VectorCore
from accmine.workload import Vector
from accmine.workload.graph import Gemm, Work

T = TypeVar("T")

MIB = 1 << 20
SPLITS, EVERY = (1, 2, 4, 8, 16, 32, 64), tuple(range(1, 65))
DIMS, SRAMS = (16, 32, 64, 128, 256), [MIB << i for i in range(6)]

PEERS = """other tools, one matrix product or layer on one core (measured once, on two shared cores):
  ZigZag 3.9.1 (search, lpf_limit 6)        3.7 s median, 19 s worst
  LLMCompass (heuristic for GPUs)           8 to 112 s
  MAESTRO (mapping given, no search)        0.02 s"""


def random_works(count: int, seed: int = 0) -> list[Work]:
    """Products of sizes as in transformers and convolutions, half of them with an activation behind."""
    rng = random.Random(seed)
    works = []
    for _ in range(count):
        m, k, n = (rng.choice((64, 96, 128, 512, 768, 1024, 1600, 4096)) * rng.randint(1, 9) for _ in range(3))
        batch = rng.choice((1, 1, 1, 16))
        a, b, c = batch * m * k, batch * k * n, batch * m * n
        vector = (Vector("gelu", c),) if rng.random() < 0.5 else ()
        works.append(Work(Gemm(m, k, n, batch, a, b, c), vector, 2 * (a + b), 2 * c, "bf16"))
    return works


def best_of(runs: int, function: Callable[[], T]) -> tuple[float, T]:
    """Least processor time of some runs, in seconds, and the result of the last."""
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def main() -> None:
    """Time the tables and print evaluations per second."""
    works = random_works(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    tensor = [TensorCore(r, c, s) for r, c, s in product(DIMS, DIMS, SRAMS)]
    flexible = [TensorCore(r, c, s, "flexible") for r, c, s in product(DIMS[::2], DIMS[::2], SRAMS)]
    vector = [VectorCore(lanes, 16, s) for lanes, s in product(DIMS, SRAMS)]
    pooled = MemorySystem(1000.0, 64 * MIB, 256.0)
    cases: list[tuple[str, int, tuple[int, ...], Callable[[], object]]] = [
        ("tensor, one core", len(tensor), (1,), lambda: tensor_costs(works, tensor, (1,))),
        ("tensor, 7 splits", len(tensor), SPLITS, lambda: tensor_costs(works, tensor, SPLITS)),
        ("tensor, all of 1 to 64 cores", len(tensor), EVERY, lambda: tensor_costs(works, tensor, EVERY)),
        ("flexible dataflow, one core", len(flexible), (1,), lambda: tensor_costs(works, flexible, (1,))),
        ("shared SRAM, one core", len(tensor), (1,), lambda: tensor_costs(works, tensor, (1,), memory=pooled)),
        ("shared SRAM, 1 to 64 cores", len(tensor), EVERY, lambda: tensor_costs(works, tensor, EVERY, memory=pooled)),
        ("vector, 7 splits", len(vector), SPLITS, lambda: vector_costs(works, vector, SPLITS)),
    ]
    start = time.perf_counter()
    tensor_costs(works[:1], flexible[:1], (1, 2), memory=pooled)
    print(f"first call, which compiles where no earlier one has: {time.perf_counter() - start:.1f} s")
    print(
        "evaluations per second                works  types  splits  seconds  (operator, type)  (operator, type, split)"
    )
    for name, types, splits, run in cases:
        seconds, _ = best_of(3, run)
        pairs = len(works) * types / seconds
        print(
            f"{name:<36} {len(works):>6} {types:>6} {len(splits):>7} {seconds:>8.3f} {pairs:>17,.0f}"
            f" {pairs * len(splits):>24,.0f}"
        )
    sides = tensor_costs(works, tensor[:1], SPLITS), vector_costs(works, vector[:1], SPLITS)
    seconds, _ = best_of(3, lambda: combine(*sides))
    print(f"combine, one pair of core types: {seconds * 1e3:.2f} ms")
    print(PEERS)


if __name__ == "__main__":
    main()
