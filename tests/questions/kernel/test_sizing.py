"""``accmine kernel --target``: the cheapest counts beside all counts, simulations, and every way of saying no."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import accmine as package
from accmine.errors import CheckError, InfeasibleError
from accmine.hardware.technology.file import load_technology
from accmine.kernel.analysis import analyse, inner_loops
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.kernel_file import load_kernel
from accmine.kernel.described.resolve import resolve
from accmine.kernel.program import Repeat
from accmine.kernel.simulator import simulate
from accmine.problems.kernel_sizing import One, um2_of
from accmine.questions.kernel import sizing
from tests.samples.command_sample import caller

ROOT = Path(__file__).resolve().parents[3]
MACHINE, KERNEL = ROOT / "examples/kernel-architecture.yaml", ROOT / "examples/kernel.yaml"
LONG = 840  # iterations: a multiple of every period up to 8


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def machine_text(draw: random.Random) -> str:
    """A machine with three counts as parameters, and two buffers."""
    dma, array, interval = draw.randint(1, 9), draw.randint(3, 20), draw.randint(1, 3)
    return f"""
name: drawn
parameters: {{queue: 1, a: 1, b: 1}}
stages:
  fetch: {{kind: fetch, slots: {draw.randint(1, 4)}, interval: {draw.randint(0, 2)}, to: [queue, direct]}}
  queue: {{latency: 0, slots: queue, to: [loader]}}
  loader: {{kind: execute, latency: 0, interval: 0, to: [dma]}}
  direct: {{kind: execute, latency: 0, interval: 0, slots: {draw.randint(1, 3)}, to: [array]}}
units:
  dma: {{executes: [load_a, load_b], latency: {dma}, interval: {interval}, reads: [far], writes: [near]}}
  array: {{executes: [multiply], latency: {array}, interval: {draw.randint(1, array)}, reads: [near], writes: [near]}}
memories:
  far: {{bandwidth: 8, read_ports: 1, write_ports: 1, buffers: {{x: 1}}}}
  near: {{bandwidth: 32, read_ports: 2, write_ports: 1, buffers: {{a: a, b: b, c: 4}}}}
"""


def kernel_text(draw: random.Random) -> str:
    rows = [
        f'      - load_a: {{reads: ["far.x:{draw.choice([16, 64])}"], writes: ["near.a:{draw.choice([16, 64])}"]}}',
        f'      - load_b: {{reads: ["far.x:{draw.choice([16, 64])}"], writes: ["near.b:{draw.choice([32, 128])}"]}}',
        '      - multiply: {reads: ["near.a:32", "near.b:32"], writes: ["near.c:32"]}',
    ]
    rows += [rows[-1]] * draw.randint(0, 1) + [rows[0]] * draw.randint(0, 1)
    return "name: drawn\nbody:\n  - loop: 50\n    name: tile\n    body:\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize("seed", range(8))
def test_the_answer_is_the_best_of_all_counts_and_keeps_its_rate_in_a_simulation(seed: int, tmp_path: Path) -> None:
    draw = random.Random(f"sized {seed}")
    machine, kernel = tmp_path / "machine.yaml", tmp_path / "kernel.yaml"
    machine.write_text(machine_text(draw))
    kernel.write_text(kernel_text(draw))
    names = {"queue": "queue", "near.a": "a", "near.b": "b"}
    rates = {}
    for counts in itertools.product((1, 2, 3), repeat=3):
        described = load_architecture(machine, None, dict(zip(names.values(), counts, strict=True)))
        rates[counts] = analyse(resolve(described, load_kernel(kernel, described))).loops[0].rate
    target = draw.choice(sorted(set(rates.values())))
    found = package.kernel(machine, kernel, target=str(target), free=dict.fromkeys(names, "1..3"))  # type: ignore[attr-defined]
    price = [math_price(row) for row in found["resources"]]
    costs = {
        counts: sum(math.ceil(count * one) for count, one in zip(counts, price, strict=True))
        for counts, rate in rates.items()
        if rate <= target
    }
    assert [row["name"] for row in found["resources"]] == list(names)
    assert found["objective"] == found["bound"] == min(costs.values())
    assert (found["status"], found["gap"], found["verified"]) == ("optimal", 0, True)
    counts = tuple(found["cheapest"]["counts"].values())
    assert costs[counts] == found["cheapest"]["um2"] == found["objective"]
    assert Fraction(found["cheapest"]["cycles_per_iteration"]["exact"]) == rates[counts] <= target
    assert Fraction(found["described"]["cycles_per_iteration"]["exact"]) == rates[1, 1, 1]
    for row in [*found["more"], *found["less"]]:
        place = list(names).index(row["name"])
        other = (*counts[:place], row["next_count"], *counts[place + 1 :])
        if other in rates:
            assert Fraction(row["difference"]["exact"]) == rates[other] - rates[counts]
    described = load_architecture(machine, None, dict(zip(names.values(), counts, strict=True)))
    assert simulated(resolve(described, load_kernel(kernel, described))) == rates[counts]


def math_price(row: dict[str, Any]) -> float:
    size = int(row["one"].split()[0])
    assert row["um2_of_one"] == um2_of(One((1,), bytes=size), load_technology("tpu-16nm"))
    return float(row["um2_of_one"])


def simulated(program: Any) -> Fraction:
    """Cycles per iteration from iteration LONG to 2 · LONG."""
    ((_, _, loop),) = inner_loops(program.body)
    seen = simulate(replace(program, body=(Repeat(2 * LONG, loop.body),)))
    length = len(loop.body)
    starts = [seen.passages[k * length].start for k in (LONG - 1, 2 * LONG - 1)]
    return Fraction(starts[1] - starts[0], LONG)


def test_the_example(accmine: Any) -> None:
    found = accmine("kernel", MACHINE, KERNEL, "--target", "10%", "--json").json
    assert found["target"]["exact"] == "910/11"
    assert found["loop"] == "row/block"
    assert found["cheapest"]["counts"]["spad.A"] == 2
    assert found["described"]["counts"] == {
        "fetch": 4, "load_queue": 2, "load_stage": 1, "compute_queue": 2, "compute_stage": 1, "spad.A": 1,
    }  # fmt: skip
    assert found["fixed"] == ["dma", "array"]
    assert (found["described"]["cycles"], found["cheapest"]["cycles"]) == (23_297, 13_097)
    assert {row["name"]: row["difference"]["exact"] for row in found["less"]} == {"spad.A": "40"}
    assert package.kernel(MACHINE, KERNEL, target="10%")["cheapest"] == found["cheapest"]  # type: ignore[attr-defined]
    more = accmine("kernel", MACHINE, KERNEL, "--target", "51", "--size", "array=256 macs", "--json").json
    assert (more["cheapest"]["counts"]["array"], more["fixed"]) == (1, ["dma"])


def test_the_page_shows_what_is_printed(accmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    page = (ROOT / "docs/kernel-models.md").read_text(encoding="utf-8")
    shown = accmine("kernel", MACHINE, KERNEL, "--target", "10%", "--free", "spad.A=1..4", "--free", "load_queue").out
    lines = [line.rstrip() for line in shown.splitlines() if line.strip()]
    assert len(lines) >= 12
    assert [line for line in lines if line not in page] == []


def test_the_problem_can_be_solved_from_its_file(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    found = accmine("kernel", MACHINE, KERNEL, "--target", "60", "--export", file, "--json").json
    solved = accmine("solve", file, "--solver", "brute-force", "--json").json
    assert (solved["objective"], solved["status"]) == (found["objective"], "optimal")


def test_a_loop_that_is_named(accmine: Any, tmp_path: Path) -> None:
    kernel = tmp_path / "two.yaml"
    load = '      - load: {reads: ["dram.A:256"], writes: ["spad.A:256"]}\n'
    multiply = '      - matmul: {m: 16, reads: ["spad.A:256"], updates: [acc.C]}\n'
    kernel.write_text(
        "name: two\nbody:\n  - loop: 9\n    name: long\n    body:\n" + load + multiply
        + "  - loop: 9\n    name: short\n    body:\n" + load
    )  # fmt: skip
    found = accmine("kernel", MACHINE, kernel, "--target", "0%", "--json").json
    assert (found["loop"], "compute_queue" in found["cheapest"]["counts"]) == ("long", True)
    found = accmine("kernel", MACHINE, kernel, "--target", "0%", "--loop", "short", "--json").json
    assert (found["loop"], "compute_queue" in found["cheapest"]["counts"]) == ("short", False)
    assert found["share"] < 0.5


def test_a_model(accmine: Any) -> None:
    words = ["kernel", "systolic-ws", "resnet-18", "--target", "10%", "--size", "registers.weights=512 B"]
    found = accmine(*words, "--json").json
    assert found["operator"]
    assert found["cheapest"]["counts"]["registers.weights"] == 2
    assert "registers.weights" in accmine(*words).out


def test_what_is_proven_to_be_impossible(accmine: Any) -> None:
    found = accmine("kernel", MACHINE, KERNEL, "--target", "30")
    assert (found.code, found.out) == (1, "")
    assert "target: at least 51 cycles per iteration; matmul reads acc.C, which matmul 1 iteration earlier" in found.err
    assert "left as described, since nobody says what one is (--size): dma, array" in found.err
    found = accmine("kernel", MACHINE, KERNEL, "--target", "60", "--free", "spad.A=1", "--free", "fetch")
    assert found.code == 1
    assert "load writes spad.A, which matmul 1 iteration earlier read" in found.err
    assert "spad.A: 2 of spad.A are the least that work while the others stay" in found.err
    with pytest.raises(InfeasibleError) as raised:
        package.kernel(MACHINE, KERNEL, target=60, free={"spad.A": 1})  # type: ignore[attr-defined]
    assert raised.value.conflict == ("target: 60 cycles per iteration", "spad.A: 1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "0"], "more than 0 cycles"),
        (["--target", "-100%"], "more than 0 cycles"),
        (["--target", "1/0"], "--target: '1/0' must be cycles per iteration"),
        (["--target", "nan%"], "must be cycles per iteration"),
        (["--target", "1/999999999999999999"], "take a simpler target"),
        (["--target", "10%", "--free", "spad.B"], "did you mean 'spad.A'"),
        (["--target", "10%", "--free", "array"], "nobody says what one array is"),
        (["--target", "10%", "--free", "spad.A=0..3"], "counts of at least 1"),
        (["--target", "10%", "--free", "spad.A=1..1000000"], "must be counts"),
        (["--target", "10%", "--free", "spad.A=1..600", "--free", "fetch=1..600"], "at most 1024 are tried"),
        (["--target", "10%", "--free", "spad.A", "--free", "spad.A"], "is there twice"),
        (["--target", "10%", "--size", "spad.A=4 KiB", "--size", "spad.A=1 KiB"], "is there twice"),
        (["--target", "10%", "--size", "spad.A"], "must be a name and a size"),
        (["--target", "10%", "--size", "spad.A=4"], "or multiply-accumulates"),
        (["--target", "10%", "--size", "spad.A=0.5 B"], "whole bytes"),
        (["--target", "10%", "--size", "spad=4 B"], "a port is as wide"),
        (["--target", "10%", "--technology", "phaze-22nm"], "no area of single parts"),
        (["--target", "10%", "--technology", "tpu-17nm"], "did you mean 'tpu-16nm'"),
        (["--target", "10%", "--loop", "row/blok"], "did you mean 'row/block'"),
        (["--target", "10%", "--trace", "x.json"], "--trace: has no effect with --target"),
        (["--target", "10%", "--export", "/nowhere/x.json"], "cannot write"),
        (["--target", "10%", "--batch", "2"], "--batch: has no effect on a kernel"),
        (["--free", "spad.A"], "--free: has no effect without --target"),
        (["--seconds", "3"], "--seconds: has no effect without --target"),
    ],
)
def test_what_is_refused(accmine: Any, words: list[str], said: str) -> None:
    found = accmine("kernel", MACHINE, KERNEL, *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err


def test_a_kernel_without_a_loop_has_no_rate(accmine: Any, tmp_path: Path) -> None:
    kernel = tmp_path / "once.yaml"
    kernel.write_text('name: once\nbody:\n  - load: {reads: ["dram.A:256"], writes: ["spad.A:256"]}\n')
    found = accmine("kernel", MACHINE, kernel, "--target", "10%")
    assert found.code == 2
    assert "has no loop" in found.err


def test_a_rate_that_the_recurrence_denies_is_a_defect(accmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "rate", lambda *_: (Fraction(1), ()))
    found = accmine("kernel", MACHINE, KERNEL, "--target", "10%")
    assert found.code == CheckError.exit_code
    assert "1 by its recurrence" in found.err
