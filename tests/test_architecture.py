"""The direction of the arrows: who may import whom, what the registry names, what is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accmine.ports import Model, Solver
from accmine.registry import DEFAULT_SOLVER, MODELS, PROBLEMS, SOLVERS, make_model, make_solver, problem_module

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"accmine": ROOT / "accmine", "models": ROOT / "models", "solvers": ROOT / "solvers"}
FILES = sorted((name, path) for name, folder in FOLDERS.items() for path in folder.rglob("*.py"))
SLOW = ("ortools", "pyomo", "highspy", "matplotlib", "networkx", "numpy", "pydantic")
OPTIONAL = ("matplotlib", "pyomo", "ortools", "highspy")


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str, int]]:
    """Every imported module, with the statement and how many dots it starts with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or "", node.level
            if node.module in ("accmine", None):
                for alias in node.names:
                    yield node, f"{node.module or ''}.{alias.name}".lstrip("."), node.level


def wrong_imports(package: str, source: str, depth: int = 1) -> list[str]:
    """Imports that break the rule of ``package``, in a file ``depth`` folders below its parent."""
    wrong: list[str] = []
    for node, module, level in imports(ast.parse(source)):
        top = module.partition(".")[0]
        inner = module.startswith(("accmine.models", "accmine.solvers"))
        if package == "accmine" and (inner or top in ("models", "solvers")):
            wrong.append(f"line {node.lineno}: {module}")
        if package != "accmine" and (inner or (top in ("models", "solvers") and level == 0) or level > depth):
            wrong.append(f"line {node.lineno}: {module}")
    return wrong


@pytest.mark.parametrize(("package", "path"), FILES, ids=[str(path.relative_to(ROOT)) for _, path in FILES])
def test_arrows(package: str, path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    depth = len(path.relative_to(FOLDERS[package]).parts)
    assert wrong_imports(package, source, depth) == []
    if package == "accmine":
        top_level = ast.Module([node for node in ast.parse(source).body if not isinstance(node, ast.If)], [])
        for statement in top_level.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                named = {module.partition(".")[0] for _, module, _ in imports(statement)}
                assert not named & set(OPTIONAL), f"line {statement.lineno}"


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("accmine", "import accmine.models.x"),
        ("accmine", "from accmine.solvers import cpsat"),
        ("accmine", "from accmine import models"),
        ("accmine", "def f():\n    from accmine.models.x import Y"),
        ("models", "from accmine.solvers.engines.cpsat import CpSat"),
        ("models", "import solvers.cpsat"),
        ("solvers", "from ..models import x"),
        ("solvers", "from accmine import models"),
    ],
)
def test_the_rule_catches(package: str, line: str) -> None:
    assert wrong_imports(package, line)


@pytest.mark.parametrize(
    "line", ["from . import list_schedule", "from .list_schedule import f", "import accmine.ports"]
)
def test_the_rule_allows(line: str) -> None:
    assert wrong_imports("solvers", line) == []


@pytest.mark.parametrize("kind", sorted(PROBLEMS))
def test_problems_have_their_parts(kind: str) -> None:
    module = problem_module(kind)
    assert kind == module.KIND
    for part in (
        "Problem",
        "Solution",
        "check",
        "objective",
        "problem_from_json",
        "problem_to_json",
        "solution_from_json",
        "solution_to_json",
    ):
        assert callable(getattr(module, part)), part
    assert (kind, DEFAULT_SOLVER[kind]) in SOLVERS


@pytest.mark.parametrize(("kind", "name"), sorted(SOLVERS))
def test_solvers_satisfy_their_port(kind: str, name: str) -> None:
    solver = make_solver(kind, name)
    assert isinstance(solver, Solver)
    wanted = inspect.signature(Solver.solve).parameters
    given = inspect.signature(solver.solve).parameters
    assert set(wanted) - {"self"} == set(given)
    assert all(given[key].kind is wanted[key].kind for key in given)
    assert solver.name


@pytest.mark.parametrize(("kind", "name"), sorted(MODELS))
def test_models_satisfy_their_port(kind: str, name: str) -> None:
    model = make_model(kind, name)
    assert isinstance(model, Model)
    assert model.engine in ("cp-sat", "mip")
    assert (kind, name) in SOLVERS


def modules() -> list[str]:
    found = ["accmine"]
    for package in ("accmine", "accmine.models", "accmine.solvers"):
        paths = importlib.import_module(package).__path__
        found += [info.name for info in pkgutil.walk_packages(paths, f"{package}.") if "__main__" not in info.name]
    return sorted(set(found))


@pytest.mark.parametrize("name", modules())
def test_public_names_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    public = getattr(module, "__all__", [])
    if public:
        assert module.__doc__, "the module itself"
    for item in public:
        value = getattr(module, item)
        if not (inspect.isclass(value) or inspect.isfunction(value)) or value.__module__ != name:
            continue
        assert inspect.getdoc(value), item
        if inspect.isclass(value):
            for key, member in vars(value).items():
                if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    assert inspect.getdoc(getattr(value, key)), f"{item}.{key}"


def test_the_command_line_starts_without_anything_slow() -> None:
    script = f"import sys, accmine.cli; print([m for m in {SLOW!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_validating_a_study_needs_no_solver() -> None:
    script = (
        "import sys; from accmine.study.study import load_study; load_study('quickstart'); "
        f"print([m for m in {OPTIONAL!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_no_print_outside_the_command_line() -> None:
    for _, path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}"
