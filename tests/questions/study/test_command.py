"""``accmine validate``, ``accmine schema`` and ``accmine list``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import accmine as package
from accmine.files import load_yaml, names, validate
from accmine.kernel.described.architecture_file import load_architecture
from accmine.questions.study import listing
from accmine.study import Study
from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_validate_prints_a_valid_study(accmine: Any) -> None:
    said = accmine("validate", "quickstart", "--set", "limits.area=400 mm^2", "--set", "budget.seed=3")
    study = validate(load_yaml(text=said.out), Study)
    assert (said.code, study.limits.area, study.budget.seed) == (0, "400 mm^2", 3)
    assert accmine("validate", "quickstart", "--json").json["limits"]["area"] == "baseline"


def test_validate_complains_at_once(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: t\nworkloads: [{use: bert-lrge, batch: 64}]\naccelerator: {use: wham}\nlimits: {area: 4}\n")
    said = accmine("validate", file)
    assert said.code == 2
    assert f"{file}:2:19: workloads.0.use: unknown workload 'bert-lrge'" in said.err
    assert f"{file}:4:16: limits.area: 4 has no unit" in said.err


EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
MACHINE, KERNEL = EXAMPLES / "kernel-architecture.yaml", EXAMPLES / "kernel.yaml"


@pytest.mark.parametrize("name", [MACHINE, *names("kernels")], ids=str)
def test_validate_prints_a_valid_architecture(accmine: Any, tmp_path: Path, name: str | Path) -> None:
    said = accmine("validate", name)
    assert said.code == 0
    again = tmp_path / "again.yaml"
    again.write_text(said.out)
    assert accmine("validate", again).out == said.out
    own, printed = load_architecture(name), load_architecture(again)
    for part in ("parameters", "frequency_hz", "product"):
        assert getattr(printed, part) == getattr(own, part)
    for part in ("stages", "units", "registers", "memories"):
        assert list(getattr(printed, part)) == list(getattr(own, part))
    if name == MACHINE:
        assert accmine("kernel", again, KERNEL, "--json").json["cycles"] == 23_297


def test_validate_takes_the_parameters_of_an_architecture(accmine: Any) -> None:
    said = accmine("validate", MACHINE, "--set", "copies=2", "--json").json
    assert said["parameters"] == {"rows": 16, "cols": 16, "copies": 2}
    assert said["memories"]["dram"]["buffers"] == {"A": 1}
    assert said["stages"]["fetch"]["interval"] == 1
    assert package.validate(MACHINE, ["copies=2"]) == said


def test_validate_checks_a_kernel_on_its_architecture(accmine: Any, tmp_path: Path) -> None:
    said = accmine("validate", MACHINE, KERNEL)
    assert said.code == 0
    again = tmp_path / "again.yaml"
    again.write_text(said.out)
    assert accmine("validate", MACHINE, again).out == said.out
    assert accmine("kernel", MACHINE, again, "--json").json["cycles"] == 23_297
    again.write_text(said.out.replace("spad.A:256", "spad.B:256", 1))
    wrong = accmine("validate", MACHINE, again)
    assert (wrong.code, wrong.out) == (2, "")
    assert "spad' has no buffer 'B'; allowed: A" in wrong.err
    assert package.validate(MACHINE, kernel=KERNEL)["name"] == "product"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([KERNEL], "kernel.yaml: is no study; it looks like a kernel, which accmine kernel and accmine validate read"),
        (["quickstart", KERNEL], "unknown architecture of kernels 'quickstart'; it is one of accmine list studies"),
        ([MACHINE, MACHINE], "is no kernel; it looks like a described architecture"),
        ([MACHINE, "--set", "copys=2"], "unknown parameter 'copys'; did you mean 'copies'"),
    ],
)
def test_validate_names_what_is_in_the_wrong_place(accmine: Any, words: list[Any], said: str) -> None:
    found = accmine("validate", *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err


@pytest.mark.parametrize("command", ["run", "sweep", "compare", "solve"])
@pytest.mark.parametrize(("file", "says"), [(MACHINE, "a described architecture, "), (KERNEL, "a kernel, ")])
def test_commands_of_studies_name_descriptions(accmine: Any, command: str, file: Path, says: str) -> None:
    found = accmine(command, file)
    assert (found.code, found.out) == (2, "")
    assert f"it looks like {says}which accmine kernel" in found.err
    assert len(found.err.splitlines()) == 1


def test_schema(accmine: Any) -> None:
    assert accmine("schema").json["title"] == "accmine study"
    assert accmine("schema", "--json").json == accmine("schema").json
    assert accmine("schema", "--markdown").out.startswith("# Keys of a study")
    assert accmine("schema", "kernel").json["title"] == "accmine kernel"
    assert accmine("schema", "architecture", "--markdown").out.startswith("# Keys of a described architecture")
    wrong = accmine("schema", "cluster", "--markdown")
    assert (wrong.code, wrong.out) == (2, "")


@pytest.mark.parametrize("what", listing.LISTS)
def test_list(accmine: Any, what: str) -> None:
    rows = accmine("list", what, "--json").json
    table = accmine("list", what).out.splitlines()
    assert len(table) == bool(rows) + len(rows)
    if what in (
        "workloads",
        "accelerators",
        "technologies",
        "clusters",
        "stacks",
        "kernels",
        "devices",
        "engines",
        "studies",
    ):
        assert tuple(row["name"] for row in rows) == names(what)
