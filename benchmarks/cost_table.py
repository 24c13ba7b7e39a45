"""Evaluations per second of the cost table: operators × core types × split factors.

Run with ``python benchmarks/cost_table.py [works]``.
"""

from __future__ import annotations

import random
import sys
import time
from itertools import product

from accmine.cost import combine, tensor_costs, vector_costs
from accmine.hardware.design import TensorCore, VectorCore
from accmine.workload.graph import Gemm, Vector, Work

MIB = 1 << 20
SPLITS = (1, 2, 4, 8, 16, 32, 64)


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


def main() -> None:
    """Time both tables and print evaluations per second."""
    works = random_works(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    dims, srams = (16, 32, 64, 128, 256), [MIB << i for i in range(6)]
    tensor = [TensorCore(r, c, s) for r, c, s in product(dims, dims, srams)]
    vector = [VectorCore(lanes, 16, s) for lanes, s in product((16, 32, 64, 128, 256), srams)]
    start = time.perf_counter()
    t = tensor_costs(works, tensor, SPLITS)
    middle = time.perf_counter()
    v = vector_costs(works, vector, SPLITS)
    end = time.perf_counter()
    combine(t.of_type(0), v.of_type(0))
    combined = time.perf_counter() - end
    for name, costs, seconds in (("tensor", t, middle - start), ("vector", v, end - middle)):
        pairs = costs.cycles.shape[0] * costs.cycles.shape[1]
        print(
            f"{name}: {costs.cycles.shape[0]} works x {costs.cycles.shape[1]} core types x {len(SPLITS)} splits in "
            f"{seconds:.3f} s: {pairs / seconds:,.0f} (operator, core type) evaluations per second"
        )
    print(f"combine, one pair of core types: {combined * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
