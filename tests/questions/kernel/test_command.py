"""``accmine kernel``: what it prints, its files, and every way of saying no."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import accmine as package
from accmine.errors import InputError
from tests.samples.command_sample import caller

ROOT = Path(__file__).resolve().parents[3]
MACHINE, KERNEL = ROOT / "examples/kernel-architecture.yaml", ROOT / "examples/kernel.yaml"


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_the_example_in_text_and_json(accmine: Any) -> None:
    found = accmine("kernel", MACHINE, KERNEL, "--json").json
    assert (found["instructions"], found["cycles"], found["seconds"]) == (512, 23_297, 23_297e-9)
    assert found["busy_cycles"] <= found["cycles"] <= found["serial_cycles"]
    (loop,) = found["loops"]
    assert (loop["name"], loop["iterations"]) == ("row/block", 256)
    assert loop["cycles_per_iteration"] == {"exact": "91", "value": 91.0}
    assert sum(step["cycles"] for step in loop["critical_cycle"]) == 91
    assert found["changes"][0]["change"] == "one more slot of spad.A"
    text = accmine("kernel", MACHINE, KERNEL).out
    for words in ("23,297 cycles, 23.30 µs at 1,000 MHz", "load writes spad.A, which matmul 1 iteration earlier read"):
        assert words in text


def test_what_proves_the_rate(accmine: Any) -> None:
    (found,) = accmine("kernel", MACHINE, KERNEL, "--json").json["proof"]
    assert found["rate_by"] == ["Howard", "Karp"]
    assert found["steady"] == {"from_iteration": 7, "period": 1}
    assert found["cycles_alone"] == 23_297
    assert found["scalar_test"] == {"stops_at": 3, "cycles_per_iteration": 91, "cycles": 23_297, "error": 0}
    assert "row/block  Howard = Karp" in accmine("kernel", MACHINE, KERNEL).out
    network = accmine("kernel", "systolic-ws", "resnet-18", "--json").json
    assert [one["loop"] for one in network["proof"]] == [one["name"] for one in network["operators"][0]["loops"]]
    many = accmine("kernel", MACHINE, KERNEL, "--set", "copies=200")
    assert "Howard alone, whose last values leave no cycle a greater ratio" in many.out


def test_the_page_shows_what_is_printed(accmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    page = (ROOT / "docs/kernel-models.md").read_text(encoding="utf-8")
    shown = [line for line in accmine("kernel", MACHINE, KERNEL).out.splitlines() if "•" in line or "10 %" in line]
    assert len(shown) >= 5
    assert [line for line in shown if line not in page] == []
    for file in (MACHINE, KERNEL):
        text = "".join(line for line in file.open(encoding="utf-8") if not line.startswith("#"))
        assert text in page


def test_the_page_shows_the_loops_of_a_convolution(accmine: Any) -> None:
    page = (ROOT / "docs/kernel-models.md").read_text(encoding="utf-8")
    example = ROOT / "examples/kernel-convolution.yaml"
    assert example.read_text(encoding="utf-8").partition("product:")[2] in page
    for parameters in ((), ("--set", "copies=1")):
        found = accmine("kernel", example, "resnet-18", *parameters, "--json").json
        assert f"{found['cycles']:,}" in page


def test_a_parameter_is_the_change_that_was_named(accmine: Any) -> None:
    named = accmine("kernel", MACHINE, KERNEL, "--json").json["changes"][0]
    found = accmine("kernel", MACHINE, KERNEL, "--set", "copies=2", "--json").json
    assert found["cycles"] == named["cycles"] == 13_097
    assert found["parameters"]["copies"] == 2
    assert package.kernel(MACHINE, KERNEL, set={"copies": 2}) == found  # type: ignore[attr-defined]


def test_a_trace_of_the_first_instructions(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    assert accmine("kernel", MACHINE, KERNEL, "--trace", file).code == 0
    names = {event["name"] for event in json.loads(file.read_text())["traceEvents"]}
    assert {"load", "matmul"} <= names


def test_a_model(accmine: Any) -> None:
    found = accmine("kernel", "systolic-ws", "resnet-18", "--json").json
    assert sum(row["all_cycles"] for row in found["operators"]) == found["cycles"]
    assert sum(row["share"] for row in found["operators"]) == pytest.approx(1)
    assert all(row["all_cycles"] == row["count"] * row["cycles"] for row in found["operators"])
    assert sum(row["count"] for row in found["operators"]) == 21, "20 convolutions and a linear layer"
    (left,) = found["unmapped"]
    assert left["count"] == 47
    assert "no product" in left["reason"]
    twice = accmine("kernel", "systolic-ws", "resnet-18", "--batch", "2", "--json").json
    assert twice["cycles"] > found["cycles"]
    assert twice["settings"]["batch"] == 2
    lines = accmine("kernel", "systolic-ws", "resnet-18", "--set", "rows=32").out
    assert "resnet-18 on systolic-ws (rows 32, cols 16" in lines
    assert "No kernel for 47 operators" in lines


def bad(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: k\nbody:\n  - loop: 4\n    body:\n      - {mul: {m: 2}}\n", "bad.yaml:5:"),
        ("name: k\nbody:\n  - loop: 0\n    body:\n      - {load: {writes: [spad.A]}}\n", "bad.yaml:3:"),
        ("name: k\nbody: []\n", "bad.yaml:2:"),
        ("name: k\nbody:\n  - {load: {writes: [spad.B]}}\n", "bad.yaml:3:"),
        ("name: k\nbody: [\n", "bad.yaml:"),
        ("- 1\n", "bad.yaml:1:"),
    ],
    ids=["mnemonic", "trips", "empty", "buffer", "syntax", "no mapping"],
)
def test_kernels_that_are_wrong(accmine: Any, tmp_path: Path, text: str, said: str) -> None:
    trace = tmp_path / "trace.json"
    found = accmine("kernel", MACHINE, bad(tmp_path, text), "--trace", trace)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert not trace.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([MACHINE, "nothing.yaml"], "no such file"),
        (["nothing.yaml", KERNEL], "no such file"),
        (["systolic-w", KERNEL], "did you mean 'systolic-ws'"),
        ([MACHINE, "resnet-19"], "did you mean 'resnet-18'"),
        ([MACHINE, "resnet-18"], "does not say how a product runs"),
        ([MACHINE, KERNEL, "--set", "copies"], "--set copies: must be a parameter and a whole number"),
        ([MACHINE, KERNEL, "--set", "copies=1.5"], "whole number"),
        ([MACHINE, KERNEL, "--set", "copy=2"], "copy"),
        ([MACHINE, KERNEL, "--set", "copies=0"], "kernel-architecture.yaml:"),
        ([MACHINE, KERNEL, "--batch", "2"], "--batch: has no effect on a kernel"),
        ([MACHINE, KERNEL, "--training"], "--training: has no effect on a kernel"),
        (["systolic-ws", "resnet-18", "--trace", "x.json"], "--trace: has no effect on a model"),
        (["systolic-ws", "resnet-18", "--batch", "0"], "batch"),
        ([MACHINE, KERNEL, "--trace", "/nowhere/x.json"], "cannot write"),
    ],
)
def test_what_is_refused(accmine: Any, words: list[Any], said: str) -> None:
    found = accmine("kernel", *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err


LOADED = '["spad.A:256"]}'
BAD = {
    "instructions: none in a loop": (
        "kernel",
        "- loop: 4",
        "- {loop: 2, body: []}\n      - loop: 4",
        "7:25",
        "is empty; allowed",
    ),
    "trips: 0": ("kernel", "loop: 4", "loop: 0", "7:15", "must be at least 1, is 0"),
    "trips: 1e30": ("kernel", "loop: 4", "loop: 1e30", "7:15", "must be a whole number or an expression, got '1e+30'"),
    "trips: 2^63": ("kernel", "loop: 4", f"loop: {2**63}", "7:15", f"must be at most {2**63 - 1}, is {2**63}"),
    "trips: products beyond int64": (
        "kernel",
        "loop: 64",
        f"loop: {2**61}",
        "4:11",
        f"are {2**64}; allowed: {2**63 - 1} (int64)",
    ),
    "cycles: beyond 2^62": ("kernel", "loop: 64", f"loop: {10**17}", "3:1", "takes 2^62 cycles or more"),
    "latency: negative by its values": ("kernel", "{m: 16", "{m: -40", "11:25", "must be at least 0, is -40"),
    "mnemonic: without a path": (
        "kernel",
        "- load:",
        "- lod:",
        "10:13",
        "no unit executes 'lod'; did you mean 'load'? allowed: load",
    ),
    "address: outside": (
        "kernel",
        LOADED,
        '["spad[262000:262256]"]}',
        "10:52",
        "is outside of 'spad', which has addresses 0 to 262143",
    ),
    "address: negative": ("kernel", LOADED, '["spad[-4:256]"]}', "10:52", "must be at least 0, is -4"),
    "address: of registers": ("kernel", "[acc.C]", '["acc[0:4]"]', "11:62", "'acc' has registers, not addresses"),
    "unit: unreachable": (
        "machine",
        "registers:",
        "  spare: {executes: [nop]}\nregisters:",
        "16:3",
        "'spare' is not reached from",
    ),
    "stages: in a circle": (
        "machine",
        "to: [load_stage]",
        "to: [load_queue]",
        "9:42",
        "forward in a circle: load_queue > load_queue",
    ),
    "latency: negative": ("machine", "latency: 4", "latency: -4", "14:36", "must be at least 0, is -4"),
    "latency: negative by values": ("machine", "rows + cols + m - 2", "m - 32", "k.yaml:11:13", "'m - 32' is -16"),
    "interval: negative": ("machine", "interval: 0", "interval: -1", "11:53", "must be at least 0, is -1"),
    "memory: negative latency": (
        "machine",
        "read_latency: 20",
        "read_latency: -2",
        "19:39",
        "must be at least 1, is -2",
    ),
    "buffers: 0": ("machine", "{A: copies}", "{A: 0}", "20:63", "must be at least 1, is 0"),
    "mnemonic: with two paths": (
        "machine",
        "[matmul]",
        "[matmul, load]",
        "15:30",
        "'load' has more than one path: fetch > load_queue",
    ),
}
"""Of the list of bad input: which file, what is changed, where the complaint stands, and what it says."""


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_bad_input_has_its_place_and_leaves_nothing_behind(
    accmine: Any, tmp_path: Path, case: str, as_json: bool
) -> None:
    which, old, new, place, said = BAD[case]
    files = {"machine": tmp_path / "a.yaml", "kernel": tmp_path / "k.yaml"}
    for name, source in (("machine", MACHINE), ("kernel", KERNEL)):
        text = source.read_text(encoding="utf-8")
        if name == which:
            assert old in text
            text = text.replace(old, new, 1)
        files[name].write_text(text, encoding="utf-8")
    trace = tmp_path / "trace.json"
    found = accmine("kernel", files["machine"], files["kernel"], "--trace", trace, *["--json"] * as_json)
    assert (found.code, found.out) == (2, "")
    where = f"{tmp_path}/{place}" if "yaml" in place else f"{files[which]}:{place}"
    lines = [line for line in found.err.splitlines() if f"{where}: " in line]
    assert any(said in line for line in lines), found.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.yaml", "k.yaml"]


def test_a_million_millions_of_trips_are_exact(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "k.yaml"
    file.write_text(KERNEL.read_text(encoding="utf-8").replace("loop: 64", "loop: 1e12"), encoding="utf-8")
    found = accmine("kernel", MACHINE, file, "--json").json
    assert found["instructions"] == 8 * 10**12
    assert found["cycles"] == 91 * (4 * 10**12 - 256) + 23_297


STUDY, SIZING = ROOT / "examples/study.yaml", ROOT / "examples/kernel-sizing.json"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([STUDY, KERNEL], "study.yaml: is no described architecture; it looks like a study, which accmine run reads"),
        ([STUDY, "resnet-18"], "study.yaml: is no described architecture; it looks like a study"),
        ([KERNEL, MACHINE], "kernel.yaml: is no described architecture; it looks like a kernel, which accmine kernel"),
        ([MACHINE, MACHINE], "kernel-architecture.yaml: is no kernel; it looks like a described architecture, which"),
        ([MACHINE, STUDY], "study.yaml: is no kernel; it looks like a study, which accmine run reads"),
        ([MACHINE, SIZING], "kernel-sizing.json: is no kernel; it looks like a problem of accmine, which accmine"),
        (["wham", KERNEL], "unknown architecture of kernels 'wham'; it is one of accmine list accelerators; known: "),
    ],
)
def test_a_file_in_the_wrong_place_is_named(accmine: Any, words: list[Any], said: str) -> None:
    found = accmine("kernel", *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert len(found.err.splitlines()) == 1


def test_layers_without_a_family_are_a_model(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "layers.yaml"
    file.write_text("image: 8\nlayers:\n  - conv: {out: 4, kernel: 3}\n")
    assert accmine("kernel", "systolic-ws", file, "--json").json["cycles"] > 0


def test_python_raises_what_the_command_says() -> None:
    with pytest.raises(InputError, match="no such file"):
        package.kernel(MACHINE, "nothing.yaml")  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="no such option"):
        package.kernel(MACHINE, KERNEL, parameters={})  # type: ignore[attr-defined]


def test_a_trace_never_replaces_what_is_read(accmine: Any, tmp_path: Path) -> None:
    machine, kernel = tmp_path / "machine.yaml", tmp_path / "kernel.yaml"
    for file, source in ((machine, MACHINE), (kernel, KERNEL)):
        file.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    for file in (machine, kernel):
        before = file.read_text(encoding="utf-8")
        found = accmine("kernel", machine, kernel, "--trace", file)
        assert found.code == 2
        assert "would be overwritten" in found.err
        assert file.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("edit", [("m: 16", f"m: {2**62}"), ("64", "1000000000")])
def test_too_many_cycles_have_a_place(accmine: Any, tmp_path: Path, edit: tuple[str, str]) -> None:
    kernel = tmp_path / "kernel.yaml"
    text = KERNEL.read_text(encoding="utf-8").replace("loop: 4", "loop: 4000000000") if edit[0] == "64" else ""
    kernel.write_text((text or KERNEL.read_text(encoding="utf-8")).replace(*edit), encoding="utf-8")
    found = accmine("kernel", MACHINE, kernel)
    assert found.code == 2
    assert re.search(r"kernel\.yaml:\d+:\d+: .*2\^62 cycles or more", found.err)


def test_the_product_of_the_page_runs_a_model(accmine: Any, tmp_path: Path) -> None:
    page = (ROOT / "docs/kernel-models.md").read_text(encoding="utf-8")
    block = page[page.index("```yaml\nproduct:\n") + len("```yaml\n") :].partition("```")[0]
    machine = tmp_path / "my.yaml"
    machine.write_text(MACHINE.read_text(encoding="utf-8") + block, encoding="utf-8")
    found = accmine("kernel", machine, "resnet-18", "--json").json
    row = next(row for row in found["operators"] if (row["m"], row["k"], row["n"]) == (1, 512, 1000))
    # ⌈1000 / 16⌉ · ⌈512 / 16⌉ blocks, each loaded and multiplied; a load of 16 · 16 · 2 B takes 4 + 20 + 32 cycles, in
    # the last column of blocks of 16 · 8 · 2 B 4 + 20 + 16
    assert row["instructions"] == 2 * 63 * 32
    assert row["busy_cycles"] >= 62 * 32 * 56 + 32 * 40
    assert row["cycles"] >= row["busy_cycles"]


def test_a_comma_that_yaml_took_is_explained(accmine: Any, tmp_path: Path) -> None:
    machine = tmp_path / "my.yaml"
    text = MACHINE.read_text(encoding="utf-8")
    machine.write_text(text.replace("latency: 4,", "latency: max(3, 4),"), encoding="utf-8")
    found = accmine("kernel", machine, KERNEL)
    assert found.code == 2
    assert "a comma needs quotes" in found.err
    machine.write_text(text.replace("latency: 4,", 'latency: "max(3, 4)",'), encoding="utf-8")
    assert accmine("kernel", machine, KERNEL, "--json").json["cycles"] == 23_297
