"""The page alone says the cycles: random files, read and played by it, take what ``accmine kernel`` says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import accmine
from tests.kernel.page_oracle import Page, random_pair


def check(seeds: range, folder: Path) -> None:
    machine_file, kernel_file = folder / "machine.yaml", folder / "kernel.yaml"
    for seed in seeds:
        machine, kernel = random_pair(seed)
        machine_file.write_text(yaml.safe_dump(machine, sort_keys=False), encoding="utf-8")
        kernel_file.write_text(yaml.safe_dump(kernel, sort_keys=False), encoding="utf-8")
        found = accmine.kernel(machine_file, kernel_file)  # type: ignore[attr-defined]
        assert found["cycles"] == Page(machine).cycles(kernel), seed
        assert found["busy_cycles"] <= found["cycles"] <= found["serial_cycles"], seed
        assert all(0 <= use["share"] <= 1 for use in found["utilisation"]), seed


def test_files_take_what_the_page_says(tmp_path: Path) -> None:
    check(range(40), tmp_path)


@pytest.mark.full
def test_files_take_what_the_page_says_200_times(tmp_path: Path) -> None:
    check(range(40, 200), tmp_path)
