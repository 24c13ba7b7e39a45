"""The fuzzer of ``benchmarks/fuzz.py`` on a few inputs: every one is answered, or refused in words."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def run(count: int, seed: int, folder: Path) -> subprocess.CompletedProcess[str]:
    options = {"--workers": 2, "--count": count, "--seed": seed, "--folder": folder}
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), *(str(word) for pair in options.items() for word in pair)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answered(count: int, seed: int, folder: Path) -> None:
    said = run(count, seed, folder)
    assert f"{count} inputs in " in said.stdout, said.stderr
    assert said.returncode == 0, said.stdout


def test_a_few_inputs(tmp_path: Path) -> None:
    answered(150, 1, tmp_path)


@pytest.mark.full
def test_more_inputs(tmp_path: Path) -> None:
    answered(2000, 2, tmp_path)


@pytest.fixture(scope="module")
def inputs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_inputs", BENCHMARKS / "fuzz_inputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_inputs"] = module
    spec.loader.exec_module(module)
    return module


def test_what_is_not_changed_is_answered(inputs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for target, bases in inputs._bases().items():
        for text, ending in bases[:1] if target in ("study", "model") else bases:  # the others take seconds
            file = tmp_path / f"input.{ending}"
            file.write_text(text)
            inputs.TARGETS[target](file, inputs.Input(target, file.name, text.encode()))


def test_findings_are_found_and_saved(tmp_path: Path) -> None:
    """A reader that raises, one that hangs and one that eats memory, put in place of real ones."""
    script = tmp_path / "broken.py"
    script.write_text(
        f"import sys, time\nsys.path.insert(0, {str(BENCHMARKS)!r})\nimport fuzz, fuzz_inputs\n"
        "fuzz.__file__ = __file__\nfuzz.LONGEST_S = 1\n"
        "fuzz_inputs.TARGETS.update(dict.fromkeys(fuzz_inputs.TARGETS, lambda *_: None))\n"
        "fuzz_inputs.TARGETS.update(technology=lambda *_: {}[1], cluster=lambda *_: time.sleep(60))\n"
        "fuzz_inputs.TARGETS.update(measured=lambda *_: bytearray(2**34))\n"
        "if '--work' in sys.argv:\n    fuzz.work(int(sys.argv[-1]))\nelse:\n    fuzz.main()\n"
    )
    command = [sys.executable, str(script), "--count", "30", "--seed", "0", "--folder", str(tmp_path / "found")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    counts = re.search(
        r"30 inputs in \d+ s: (\d+) tracebacks, (\d+) hangs, (\d+) out of memory, 0 crashes", said.stdout
    )
    assert counts is not None, said.stdout + said.stderr
    assert all(int(count) > 0 for count in counts.groups())
    assert said.returncode == 1
    assert len(list((tmp_path / "found").glob("*/finding.json"))) == sum(map(int, counts.groups()))
