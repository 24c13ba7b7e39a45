"""The direction of the arrows: who may import whom, what the registry names, what is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from accmine.ports import BaseModel, Kind, Model, Solver
from accmine.problems import (
    design_placement,
    design_search,
    device_partition,
    device_placement,
    kernel_sizing,
    operator_schedule,
    pipeline_schedule,
    schedule_window,
    sparse_dataflow,
    stage_selection,
)
from accmine.registry import DEFAULT_SOLVER, MODELS, PROBLEMS, SOLVERS, make_model, make_solver, problem_module

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"accmine": ROOT / "accmine", "models": ROOT / "models", "solvers": ROOT / "solvers"}
FILES = sorted((name, path) for name, folder in FOLDERS.items() for path in folder.rglob("*.py"))
SOURCES_AND_TESTS = [
    path
    for path in sorted(
        [*(path for _, path in FILES), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    )
    if "CpSolver" + "()" in path.read_text(encoding="utf-8")
]
SLOW = ("ortools", "pyomo", "highspy", "matplotlib", "networkx", "numba", "numpy", "pydantic")
OPTIONAL = ("matplotlib", "pyomo", "ortools", "highspy")


@lru_cache(maxsize=4)
def tree_of(path: Path) -> ast.Module:
    """A file; the rules look at one after the other, and all trees together are large."""
    return ast.parse(path.read_text(encoding="utf-8"))


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


def wrong_imports(package: str, tree: ast.AST, depth: int = 1) -> list[str]:
    """Imports that break the rule of ``package``, in a file ``depth`` folders below its parent."""
    wrong: list[str] = []
    for node, module, level in imports(tree):
        top = module.partition(".")[0]
        inner = module.startswith(("accmine.models", "accmine.solvers"))
        if package == "accmine" and (inner or top in ("models", "solvers")):
            wrong.append(f"line {node.lineno}: {module}")
        if package != "accmine" and (inner or (top in ("models", "solvers") and level == 0) or level > depth):
            wrong.append(f"line {node.lineno}: {module}")
    return wrong


def optional_at_once(tree: ast.Module) -> list[str]:
    """Imports of what is imported where it is used only."""
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            named = {module.partition(".")[0] for _, module, _ in imports(statement)}
            found += [f"line {statement.lineno}: {name}" for name in sorted(named & set(OPTIONAL))]
    return found


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
    assert wrong_imports(package, ast.parse(line))


@pytest.mark.parametrize(
    "line", ["from . import list_schedule", "from .list_schedule import f", "import accmine.ports"]
)
def test_the_rule_allows(line: str) -> None:
    assert wrong_imports("solvers", ast.parse(line)) == []


# mypy holds modules against the port
KINDS: tuple[Kind, ...] = (
    design_placement,
    design_search,
    device_partition,
    device_placement,
    kernel_sizing,
    operator_schedule,
    pipeline_schedule,
    schedule_window,
    sparse_dataflow,
    stage_selection,
)


@pytest.mark.parametrize("kind", sorted(PROBLEMS))
def test_problems_have_their_parts(kind: str) -> None:
    module = problem_module(kind)
    assert kind == module.KIND
    assert module in KINDS
    for part in (
        "Problem",
        "Solution",
        "sense",
        "score",
        "shown",
        "shown_bound",
        "check",
        "bound",
        "impossible",
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
    assert solver.name
    assert isinstance(solver, Solver)
    assert list(inspect.signature(solver.search).parameters) == ["record"]


@pytest.mark.parametrize(("kind", "name"), sorted(MODELS))
def test_models_satisfy_their_port(kind: str, name: str) -> None:
    model = make_model(kind, name)
    assert isinstance(model, Model)
    assert isinstance(model, BaseModel)
    assert model.engine in ("cp-sat", "mip")
    assert (kind, name) in SOLVERS


ORDER = (
    "errors",
    "version result",
    "ports workers interrupts",
    "registry",
    "files",
    "workload hardware",
    "kernel sparse",
    "system",
    "cost",
    "study",
    "problems",
    "plan record report",
    "solving",
    "search",
    "questions",
    "cli",
    "program",
)
"""Rooms of ``accmine/`` from left to right: a room imports what stands in an earlier entry, or itself."""

LEFT_OF = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms.split()}
QUESTIONS = (
    "run",
    "cost",
    "kernel",
    "accuracy",
    "gap",
    "compare",
    "sensitivity",
    "stability",
    "export",
    "problem",
    "study",
)
"""A question may use those to its left."""

MOST_FILES, MOST_LINES, MOST_FUNCTION = 14, 400, 60
LONG_FUNCTIONS: dict[str, int] = {
    "accmine/cost/table.py:tensor_costs": 62,
    "accmine/cost/table.py:vector_costs": 80,
    "accmine/problems/operator_schedule/json.py:read_problem": 62,
    "accmine/questions/cost/command.py:cost": 61,
    "accmine/questions/gap/command.py:gap": 71,
    "accmine/report/charts/trace.py:core_lanes": 73,
    "accmine/workload/training/tape.py:emit": 74,
}
"""Functions that are longer still, with their lines: they may only get shorter."""


AGAINST_THE_FLOW: set[tuple[str, str]] = set()
"""Imports that still go the wrong way: none may be added."""


def module_name(package: str, path: Path) -> str:
    inner = path.relative_to(FOLDERS[package]).with_suffix("").parts
    parts = [*({"accmine": ["accmine"]}.get(package, ["accmine", package])), *inner]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILE_OF = {module_name(package, path): path for package, path in FILES}


@cache
def imported(name: str) -> frozenset[str]:
    """Modules of the project that a module imports, local and type-only imports counted."""
    path, found = FILE_OF[name], set[str]()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILE_OF else base for alias in node.names}
    return frozenset((found & set(FILE_OF)) - {name})


def test_no_circle_of_imports() -> None:
    graph = nx.DiGraph([(name, other) for name in FILE_OF for other in imported(name)])
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert circles == []


def test_circles_are_found() -> None:
    assert "accmine.errors" in imported("accmine.problems.conflict")
    assert "accmine.solvers.engines.highs_search" in imported("accmine.solvers.engines.highs")
    assert "accmine.questions.run.run" in imported("accmine.questions.ready"), "local imports count"


def rooms(name: str) -> tuple[int, int]:
    """Rank of the room of a module, and of its question."""
    parts = name.split(".")
    question = QUESTIONS.index(parts[2]) if parts[1] == "questions" and parts[2:3] and parts[2] in QUESTIONS else -1
    return LEFT_OF[parts[1]], question


def against_the_flow(name: str) -> list[str]:
    """Imports from the right."""
    found = []
    own, question = rooms(name)
    for other in imported(name):
        if other == "accmine" or not other.startswith("accmine.") or other.split(".")[1] not in LEFT_OF:
            continue
        if (name, other) in AGAINST_THE_FLOW:
            continue
        rank, theirs = rooms(other)
        same = name.split(".")[1] == other.split(".")[1]
        if not (rank < own or same) or not (not same or theirs <= question or question < 0):
            found.append(other)
    return found


def test_every_room_has_its_place() -> None:
    there = {name.split(".")[1] for name in FILE_OF if name.count(".")} - {"models", "solvers", "configs", "__main__"}
    assert there == set(LEFT_OF)


def test_folders_are_small_and_have_a_face() -> None:
    for folder in {path.parent for _, path in FILES}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES, folder
        assert (folder / "__init__.py").is_file(), folder


def too_long(tree: ast.Module, file: str) -> list[str]:
    """A file, and functions."""
    last = max([node.end_lineno or 0 for node in tree.body], default=0)
    found = [f"{last} lines"] if last > MOST_LINES else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONG_FUNCTIONS.get(f"{file}:{node.name}", MOST_FUNCTION):
                found.append(f"{node.name} has {lines} lines")
    return found


def own_clocks(tree: ast.AST) -> list[str]:
    """Looks at the clock and ears for Ctrl-C: both belong to whoever made the record."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {alias.name for alias in node.names} if isinstance(node, ast.Import) else {node.module}
            if modules & {"time", "datetime", "timeit", "signal"}:
                found.append(f"line {node.lineno}: {', '.join(sorted(map(str, modules)))}")
        types: list[ast.expr | None] = [node.type] if isinstance(node, ast.ExceptHandler) else []
        if isinstance(node, ast.Call) and "suppress" in ast.dump(node.func):
            types = [*node.args]
        named = {part.id for kind in types if kind for part in ast.walk(kind) if isinstance(part, ast.Name)}
        if None in types or named & {"BaseException", "KeyboardInterrupt"}:
            found.append(f"line {node.lineno}: {', '.join(sorted(named))}")  # type: ignore[attr-defined]
    return found


def guessed_interfaces(tree: ast.AST) -> list[str]:
    """What an object may have is asked of it by name: it has a default in a base class of ``ports.py`` instead."""
    return [
        f"line {node.lineno}: {node.func.id}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) > 2))
    ]


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "def f():\n    import time",
        "try:\n    pass\nexcept KeyboardInterrupt:\n    pass",
        "try:\n    pass\nexcept (ValueError, KeyboardInterrupt):\n    pass",
        "try:\n    pass\nexcept BaseException:\n    pass",
        "try:\n    pass\nexcept:\n    pass",
        "with suppress(KeyboardInterrupt):\n    pass",
    ],
)
def test_own_clocks_are_found(line: str) -> None:
    assert own_clocks(ast.parse(line))


def test_guessed_interfaces_are_found() -> None:
    assert guessed_interfaces(ast.parse('getattr(x, "name", None)'))
    assert guessed_interfaces(ast.parse('hasattr(x, "name")'))
    assert guessed_interfaces(ast.parse("getattr(x, name)")) == []


@pytest.mark.parametrize("name", sorted(name for name in FILE_OF if FILE_OF[name].name == "__init__.py"))
def test_no_file_hides_a_name_of_its_face(name: str) -> None:
    """Else Python hands out the module instead of the function as soon as somebody imports the file."""
    face = importlib.import_module(name)
    files = {path.stem for path in FILE_OF[name].parent.glob("*.py")}
    assert face.__doc__
    assert not files & set(getattr(face, "__all__", ()))


@pytest.mark.parametrize("name", sorted(name for name in FILE_OF if not name.endswith("__main__")))
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


@pytest.mark.parametrize("path", SOURCES_AND_TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_ctrl_c_is_left_to_the_caller(path: Path) -> None:
    """CP-SAT gives SIGINT back its default when it ends: from the first such call on, Ctrl-C kills the process."""
    text = path.read_text(encoding="utf-8")
    assert text.count("CpSolver" + "()") == text.count("catch_sigint" + "_signal = False")


READERS = (
    *("load_technology", "load_accelerator", "load_cluster", "load_model", "read_accelerator", "read_measurements"),
    *("levels_of_table", "levels_of_arrays", "read_arrays"),
)
"""What reads a file that a study names."""

MAY_READ = (
    "accmine.files.",
    "accmine.study.",
    "accmine.hardware.",
    "accmine.system.",
    "accmine.workload.",
    "accmine.sparse.levels.",  # readers of tables and arrays
    "accmine.cost.measured.",  # its reader; and the cache of ZigZag, which a run writes as well
    "accmine.problems.files",
    "accmine.solving",  # solutions
    "accmine.solvers.design_search.rules",  # a shipped chip, by its name
    "accmine.questions.accuracy.",  # shipped tables and files of its command
    "accmine.questions.cost.measure",  # a design and a technology that its command names
    "accmine.questions.kernel.network",  # a model that its command names
    "accmine.questions.kernel.sizing",  # a technology that its command names
    "accmine.questions.gap.design",  # designs that its command names
    "accmine.questions.gap.schedules.problems",  # a design that its command names
    "accmine.questions.export.",  # run folders
    "accmine.questions.run.folder",
    "accmine.questions.sweep.folder",  # of sweeps
    "accmine.questions.sweep.lock",  # who runs them
    "accmine.questions.run.process",  # /proc
    "accmine.questions.study.listing",  # the catalogue
    "accmine.solvers.design_search.rules",  # the shape of TPUv2, which a rule is named after
)
"""Readers themselves, ``study/inputs.py`` who calls them for a study, and commands that are given further files."""


def calls(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Line and name of everything that is called, and whether it is of an object or module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute)
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield node.lineno, called, method


OWN_FILES = {
    "accmine.cost.arrays.compiled",  # its own sources, which machine code is kept for
    "accmine.report.html",  # its own style and script
    "accmine.questions.run.folder",  # of runs
    "accmine.questions.sweep.folder",  # of sweeps
    "accmine.questions.sweep.lock",  # who runs them
    "accmine.questions.run.process",  # what the system says of a process
    "accmine.questions.export.folder",  # of exports
    "accmine.questions.export.scalesim",  # what the tool wrote a moment ago
}
"""Open files that no user writes."""


def opened(tree: ast.AST) -> list[int]:
    """Lines that open a file."""
    own = {True: ("read_text", "read_bytes"), False: ("open",)}
    return [line for line, called, method in calls(tree) if called in own[method]]


def test_opening_is_seen() -> None:
    assert opened(ast.parse("text = path.read_text()\nwith open(path) as f:\n    path.read_bytes()")) == [1, 2, 3]
    assert opened(ast.parse("read_text(path)\nnet.open(label)")) == []


VOCABULARY = {
    "objectives": (
        {"throughput", "bottleneck", "throughput-per-tdp", "worst", "mean"},
        {"accmine.problems.stage_selection.objectives", "accmine.study.study"},
    ),
    "schedules": ({"gpipe", "1f1b"}, {"accmine.system.schedules"}),
    "limits": ({"area", "tdp", "area_mm2", "tdp_w", "limits", "device_limits"}, {"accmine.plan.limits"}),
}
"""Words, and the modules that may compare them; that of studies is their vocabulary."""


def compared(tree: ast.AST) -> dict[str, int]:
    """Word -> line of a comparison with it; a ``case`` is one."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            sides += [item for side in sides if isinstance(side, ast.Tuple | ast.List | ast.Set) for item in side.elts]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        else:
            continue
        for side in sides:
            if isinstance(side, ast.Constant) and isinstance(side.value, str):
                found[side.value] = node.lineno if isinstance(node, ast.Compare) else node.value.lineno
    return found


def compared_elsewhere(tree: ast.AST, name: str) -> list[str]:
    """Words of a vocabulary that are compared outside of its places."""
    found = compared(tree)
    others = [(what, words) for what, (words, places) in VOCABULARY.items() if name not in places]
    return [f"line {found[word]}: {what}" for what, words in others for word in sorted(words & set(found))]


def test_comparisons_are_seen() -> None:
    assert compared(ast.parse('if a == "x" or "y" != b or c in ("z", "w"):\n    d = "v"')) == dict.fromkeys("xyzw", 1)
    assert compared(ast.parse('match a:\n    case "x":\n        pass')) == {"x": 2}


ACROSS = {
    "cost/test_memory_system.py",
    "docs",
    "files/test_hard_inputs.py",
    "hardware/test_memory_designs.py",
    "kernel/test_differential.py",
    "kernel/test_page_oracle.py",
    "problems/device_placement/test_oracle.py",
    "problems/operator_schedule/test_zero_durations.py",
    "questions/run/test_resume.py",
    "questions/sweep/test_kills.py",
    "report/test_browser.py",
    "search/test_causes.py",
    "search/test_why_not.py",
    "solvers/schedule_bounds/test_bound_validity.py",
    "solvers/sparse_dataflow/test_agreement.py",
    "solvers/sparse_dataflow/test_least.py",
    "solvers/sparse_dataflow/test_monotone.py",
    "solvers/test_solver_pins.py",
    "test_architecture.py",
    "test_end_to_end.py",
    "test_fuzz.py",
    "test_packaging.py",
    "workload/training/test_training_laws.py",
}
"""Tests of several files, or of documents."""

TESTS = ROOT / "tests"


def test_tests_mirror_the_tree() -> None:
    astray = set()
    for path in TESTS.rglob("test_*.py"):
        name = path.relative_to(TESTS)
        tested = name.parent / name.name.removeprefix("test_")
        places = [ROOT / tested, ROOT / "accmine" / tested]
        if not any(place.is_file() or place.with_suffix("").is_dir() for place in places):
            astray.add("docs" if name.parts[0] == "docs" else name.as_posix())
    assert astray == ACROSS


MAKERS = {"accmine.problems.conflict", "accmine.questions.run.run", "accmine.cli"}
"""Make a proven no: there it is refused without a cause; a run reads its own result back."""


def called(tree: ast.AST, names: Container[str]) -> list[str]:
    """Calls of functions by these names."""
    return [f"line {line}: {own}" for line, own, method in calls(tree) if own in names and not method]


def read_here(tree: ast.AST) -> list[str]:
    """Calls of readers of a study's files, as functions or methods."""
    return [f"line {line}: {own}" for line, own, _ in calls(tree) if own in READERS]


def readers_imported(tree: ast.AST) -> list[str]:
    """Imports of readers."""
    readers = {*READERS, "load_yaml", "resolve"}
    return [f"line {node.lineno}: {own}" for node, own, _ in imports(tree) if own.rpartition(".")[2] in readers]


@dataclass(frozen=True)
class File:
    """A file of the source."""

    package: str
    path: Path

    @property
    def name(self) -> str:
        return module_name(self.package, self.path)

    @property
    def tree(self) -> ast.Module:
        return tree_of(self.path)

    @property
    def depth(self) -> int:
        return len(self.path.relative_to(FOLDERS[self.package]).parts)

    def starts(self, *names: str) -> bool:
        return self.name.startswith(names)


RULES: dict[str, tuple[Callable[[File], bool], Callable[[File], list[Any]]]] = {
    "models and solvers are found through the registry": (
        lambda _: True,
        lambda own: wrong_imports(own.package, own.tree, own.depth),
    ),
    "optional libraries are imported where they are used": (
        lambda own: own.package == "accmine",
        lambda own: optional_at_once(own.tree),
    ),
    "the listing of folders is the flow of data": (
        lambda own: own.name.split(".")[1:2] != [] and own.name.split(".")[1] in LEFT_OF,
        lambda own: against_the_flow(own.name),
    ),
    "files and functions are short": (
        lambda _: True,
        lambda own: too_long(own.tree, own.path.relative_to(ROOT).as_posix()),
    ),
    "only a record has a clock": (lambda own: own.package != "accmine", lambda own: own_clocks(own.tree)),
    "nothing is guessed of an object": (lambda _: True, lambda own: guessed_interfaces(own.tree)),
    "nothing is printed": (lambda _: True, lambda own: called(own.tree, ("print",))),
    "inputs alone read what a study names": (lambda own: not own.starts(*MAY_READ), lambda own: read_here(own.tree)),
    "files alone opens files of users": (
        lambda own: not own.starts("accmine.files.") and own.name not in OWN_FILES,
        lambda own: opened(own.tree),
    ),
    "own files are opened": (lambda own: own.name in OWN_FILES, lambda own: [] if opened(own.tree) else ["none"]),
    "a word is compared in one place": (lambda _: True, lambda own: compared_elsewhere(own.tree, own.name)),
    "a plan imports no reader": (
        lambda own: own.starts("accmine.plan.", "accmine.search.", "accmine.report."),
        lambda own: readers_imported(own.tree),
    ),
    "a proven no is made in one place": (
        lambda own: own.name not in MAKERS,
        lambda own: called(own.tree, ("InfeasibleError",)),
    ),
}
"""What holds of each file that it is about; what breaks it, of which there is to be none."""


@pytest.mark.parametrize(("package", "path"), FILES, ids=[str(path.relative_to(ROOT)) for _, path in FILES])
def test_a_file_keeps_the_rules(package: str, path: Path) -> None:
    own = File(package, path)
    broken = {rule: found for rule, (about, what) in RULES.items() if about(own) and (found := what(own))}
    assert broken == {}


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_about_something(rule: str) -> None:
    about, _ = RULES[rule]
    assert any(about(File(package, path)) for package, path in FILES)
