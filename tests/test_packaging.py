"""The package: every folder is in the wheel, nothing else is, and it works away from the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import accmine
from accmine.questions.run.folder import code_hash

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {"accmine": "accmine", "models": "accmine/models", "solvers": "accmine/solvers", "configs": "accmine/configs"}
SUFFIXES = (".py", ".yaml", ".csv", ".typed", ".js", ".css")
SCRIPT = """
import accmine, accmine.models, accmine.solvers
from importlib.resources import files
catalogue = files("accmine.configs")
kinds = "workloads accelerators technologies clusters stacks kernels devices engines studies suites".split()
assert all(list((catalogue / kind).iterdir()) for kind in kinds)
assert "quickstart" in (catalogue / "studies" / "quickstart.yaml").read_text()
print(accmine.__file__)
"""


def shipped() -> set[str]:
    """Where every file of the four folders belongs in site-packages."""
    return {
        f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, inside in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SUFFIXES and "__pycache__" not in path.parts
    }


def python(
    folder: Path, script: str, executable: Path | str = sys.executable, *, safe: bool = True, **environment: str
) -> str:
    flags = ["-P"] if safe else []  # what is installed, not what lies in the current folder
    done = subprocess.run(
        [executable, *flags, "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_package_is_listed() -> None:
    packages = {f"{Path(file).parent.as_posix()}".replace("/", ".") for file in shipped() if file.endswith(".py")}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


def test_versions_agree() -> None:
    version = PROJECT["project"]["version"]
    assert accmine.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)


def test_every_run_time_dependency_is_bounded_and_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for requirement in PROJECT["project"]["dependencies"]:
        assert ">=" in requirement
        (line,) = [line for line in text.splitlines() if f'"{requirement}"' in line and line.startswith("  ")]
        assert "#" in line, requirement
    assert "highspy>=1.10,<1.15" in PROJECT["project"]["dependencies"]


def test_it_works_from_another_folder(tmp_path: Path) -> None:
    assert python(tmp_path, SCRIPT) == accmine.__file__


CHECKOUT = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
"""
"""Python as it is where accmine is not installed as the checkout itself."""


@pytest.mark.parametrize("prologue", ["", CHECKOUT])
def test_it_works_in_the_checkout(tmp_path: Path, prologue: str) -> None:
    """There ./accmine comes before whatever is installed, and has no models, solvers and configs below it."""
    said = python(ROOT, prologue + SCRIPT, safe=False)
    assert said == str(ROOT / "accmine" / "__init__.py")
    script = prologue + (
        "import accmine.solvers.engines.cpsat, accmine.models, accmine.configs\n"
        "from accmine.questions.run.folder import code_hash\n"
        "assert accmine.load('quickstart').study.name == 'quickstart'\n"
        "print(code_hash(), accmine.models.__path__[0], accmine.configs.__path__[0])"
    )
    assert python(ROOT, script, safe=False) == f"{code_hash()} {ROOT / 'models'} {ROOT / 'configs'}"
    script = prologue + "import runpy; sys.argv = ['accmine', 'list', 'solvers']; runpy.run_module('accmine')"
    assert "operator-schedule" in python(ROOT, "import sys\n" + script, safe=False)


def test_only_a_checkout_is_extended(tmp_path: Path) -> None:
    """A folder that is none is left alone: what is missing there is an error of its own."""
    shutil.copytree(ROOT / "accmine", tmp_path / "accmine", ignore=shutil.ignore_patterns("__pycache__"))
    script = CHECKOUT + "import accmine; print(accmine.__path__)"
    assert python(tmp_path, script, safe=False) == str([str(tmp_path / "accmine")])


def test_the_documented_files_exist() -> None:
    for name in ("LICENSE", "CITATION.cff", "CHANGELOG.md", "README.md", "MANIFEST.in", ".pre-commit-config.yaml"):
        assert (ROOT / name).read_text(encoding="utf-8").strip()
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_reference_of_keys_is_current() -> None:
    from accmine.study import study_reference

    assert (ROOT / "docs" / "study-keys.md").read_text(encoding="utf-8") == study_reference()


def copy_of_the_tree(folder: Path) -> Path:
    """The checkout without what builds leave in it."""
    tree = folder / "tree"
    hidden = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs")
    shutil.copytree(ROOT, tree, ignore=hidden)
    return tree


@pytest.mark.full
def test_sdist_and_wheel(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    command: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "dist", tree]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    files = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    assert {name.partition("/")[0].partition("-")[0] for name in files} == {"accmine"}
    assert {name for name in files if ".dist-info/" not in name} == shipped()
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "CITATION.cff", "tests/test_packaging.py", "docs/index.md"} <= inside

    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", site, wheel]
    subprocess.run(command, check=True, timeout=300)
    assert sorted(path.name.partition("-")[0] for path in site.iterdir() if path.name != "bin") == [
        "accmine",
        "accmine",
    ]
    assert Path(python(tmp_path, SCRIPT, PYTHONPATH=str(site))).is_relative_to(site)
    installed = python(
        tmp_path, "from accmine.questions.run.folder import code_hash; print(code_hash())", PYTHONPATH=str(site)
    )
    here = python(ROOT, "from accmine.questions.run.folder import code_hash; print(code_hash())")
    assert installed == here == code_hash()
    # In the tree, with the wheel installed: the tree itself, whole.
    assert Path(python(tree, CHECKOUT + SCRIPT, safe=False, PYTHONPATH=str(site))).is_relative_to(tree)


@pytest.mark.full
def test_editable_install(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=120)
    executable = tmp_path / "venv" / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", executable, "install", "-q"]
    # the build backend of this environment builds for the new one: nothing is downloaded
    backend = str(Path(next(iter(__import__("setuptools").__path__))).parent)
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "-e", tree],
        env={**os.environ, "PYTHONPATH": backend},
        check=True,
        timeout=300,
    )
    for folder in (tmp_path, tree):
        assert Path(python(folder, SCRIPT, executable)).is_relative_to(tree)
    (tree / "models" / "added_later.py").write_text("HERE = 1\n")
    assert python(tmp_path, "from accmine.models.added_later import HERE; print(HERE)", executable) == "1"
