"""Certified schedules at scale: what ``auto`` finds and proves for training graphs of about 20,000 operators.

S1: one microbatch, one operator on one core, 10 s each; S2: three microbatches side by side, 20 s each. Every
instance is solved ``--repeats`` times with another seed each; the median run (by gap) is shown, beside the gap of the
first list schedule against the same bound. Gaps are value / bound - 1.

    python benchmarks/schedules.py [S1 S2] [--repeats 3] [--workers 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass

from instances import problem

from accmine.ports import Stop
from accmine.solving import solve

__all__ = ["CASES", "Case", "Row", "measure"]


@dataclass(frozen=True)
class Case:
    """One instance on one machine: the limit in seconds and the gap to reach, value / bound - 1."""

    suite: str
    instance: str
    tensor: int
    vector: int
    seconds: float
    target: float


CASES = (
    Case("S1", "gpt2-xl", 1, 1, 10, 0.03),
    Case("S1", "gpt2-xl", 2, 2, 10, 0.003),
    Case("S1", "gpt2-xl", 4, 4, 10, 0.003),
    Case("S1", "gpt2-xl", 8, 4, 10, 0.003),
    Case("S2", "gpt2-xl-3mb", 1, 1, 20, 0.003),
    Case("S2", "gpt2-xl-3mb", 2, 2, 20, 0.025),
    Case("S2", "gpt2-xl-3mb", 4, 4, 20, 0.06),
    Case("S2", "gpt2-xl-3mb", 8, 4, 20, 0.05),
)


@dataclass(frozen=True)
class Row:
    """The median run of a case.

    Attributes
    ----------
    first
        Gap of the first list schedule against the final bound.
    least, most
        Smallest and largest gap of all repeats.
    cpu_seconds
        Processor time of all threads; far below ``seconds`` where other programs disturb the measurement.
    reached
        Seconds after which the gap was within the target; ``None`` if it never was.
    """

    suite: str
    instance: str
    cores: str
    operations: int
    value: int
    bound: int
    gap: float
    least: float
    most: float
    first: float
    seconds: float
    cpu_seconds: float
    reached: float | None
    target: float
    method: str

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.gap <= self.target


def measure(case: Case, repeats: int, workers: int) -> Row:
    """Solve ``case`` ``repeats`` times."""
    instance = problem(case.instance, case.tensor, case.vector)
    runs = []
    cpu = []
    for seed in range(repeats):
        began = time.process_time()
        result = solve(instance, "auto", stop=Stop(seconds=case.seconds, workers=workers), seed=seed)
        cpu.append(time.process_time() - began)
        assert result.objective is not None
        assert result.bound is not None
        assert result.verified
        runs.append((result.objective / result.bound - 1, result))
    runs.sort(key=lambda run: run[0])
    gap, median = runs[(len(runs) - 1) // 2]
    value, bound = int(median.objective or 0), int(median.bound or 0)
    first = next(v for _, v, _ in median.trace if v is not None)
    reached = [s for s, v, b in median.trace if v is not None and b is not None and v / b - 1 <= case.target]
    return Row(
        suite=case.suite,
        instance=case.instance,
        cores=f"{case.tensor}x{case.vector}",
        operations=len(instance),
        value=value,
        bound=bound,
        gap=gap,
        least=runs[0][0],
        most=runs[-1][0],
        first=first / bound - 1,
        seconds=statistics.median(run.seconds for _, run in runs),
        cpu_seconds=statistics.median(cpu),
        reached=min(reached, default=None),
        target=case.target,
        method=median.bound_method,
    )


def _line(row: Row) -> str:
    """A row of the table."""
    ratio = f"{row.first / row.gap:.1f}" if row.gap else "closed"
    within = "-" if row.reached is None else f"{row.reached:.1f}"
    met = "yes" if row.met else "no"
    return (
        f"{row.suite:<3} {row.instance:<12} {row.cores:>5} {row.operations:>6} {row.value:>11} {row.bound:>11} "
        f"{100 * row.gap:>7.3f} {100 * row.least:>6.2f}-{100 * row.most:<6.2f} {100 * row.first:>8.2f} {ratio:>9} "
        f"{row.seconds:>8.1f} {row.cpu_seconds:>6.1f} {within:>9} {100 * row.target:>8.1f} {met:<4} {row.method}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Certified schedules at scale (S1, S2).")
    parser.add_argument("suites", nargs="*", default=["S1", "S2"], help="S1, S2 or both")
    parser.add_argument("--repeats", type=int, default=3, help="runs per instance, each with its own seed")
    parser.add_argument("--workers", type=int, default=2, help="threads of a run")
    parser.add_argument("--json", help="also write the rows to this file")
    options = parser.parse_args()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{options.repeats} repeats, {options.workers} workers, {machine}")
    print("gap = value / bound - 1 of the median run; first/gap: gap of the first list schedule over the final one")
    head = ("", "instance", "cores", "ops", "value", "bound", "gap %", "all %", "first %", "first/gap")
    print("{:<3} {:<12} {:>5} {:>6} {:>11} {:>11} {:>7} {:>13} {:>8} {:>9}".format(*head), end="")
    print(f" {'seconds':>8} {'cpu s':>6} {'within at':>9} {'target %':>8} met  proved by")
    rows = []
    for case in CASES:
        if case.suite not in options.suites:
            continue
        row = measure(case, options.repeats, options.workers)
        rows.append(row)
        print(_line(row), flush=True)
    print(f"targets met: {sum(row.met for row in rows)} of {len(rows)}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(row) | {"met": row.met} for row in rows], file, indent=1)


if __name__ == "__main__":
    main()
