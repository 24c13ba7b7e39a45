"""Which problems, models and solvers exist: plain tables, imported when named.

Other packages add rows through the entry-point groups ``accmine.problems``, ``accmine.models`` and
``accmine.solvers``; the name of an entry point is ``kind/name`` and its value ``module:object``. Readers of workloads
are in the group ``accmine.importers``, by the suffix of their files without its dot; executors, on which sweeps run, in
``accmine.executors``, by their name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from accmine.errors import InputError
from accmine.ports import Clock, Kind, Model, Problem

__all__ = [
    "DEFAULT_SOLVER",
    "EXECUTORS",
    "MODELS",
    "PROBLEMS",
    "SOLVERS",
    "WHY_NOT",
    "executors",
    "explainer",
    "importer_of",
    "kind_of",
    "make_executor",
    "make_model",
    "make_solver",
    "place_of",
    "problem_module",
    "solvers_of",
]

PROBLEMS: dict[str, str] = {
    "design-placement": "accmine.problems.design_placement",
    "design-search": "accmine.problems.design_search",
    "device-partition": "accmine.problems.device_partition",
    "device-placement": "accmine.problems.device_placement",
    "kernel-sizing": "accmine.problems.kernel_sizing",
    "operator-schedule": "accmine.problems.operator_schedule",
    "pipeline-schedule": "accmine.problems.pipeline_schedule",
    "schedule-window": "accmine.problems.schedule_window",
    "sparse-dataflow": "accmine.problems.sparse_dataflow",
    "stage-selection": "accmine.problems.stage_selection",
}
"""Problem kind -> module that satisfies the port ``Kind``."""

WHY_NOT: dict[str, str] = {
    "device-placement": "accmine.solvers.device_placement.why_not:explain",
    "kernel-sizing": "accmine.solvers.kernel_sizing.why_not:explain",
    "sparse-dataflow": "accmine.solvers.sparse_dataflow.why_not:explain",
    "stage-selection": "accmine.solvers.stage_selection.why_not:explain",
}
"""Problem kind -> (limits in conflict, remedies) of a problem without solution, where that takes solvers."""

MODELS: dict[tuple[str, str], str] = {
    ("device-partition", "cp-sat"): "accmine.models.device_partition_cpsat:DevicePartitionCpSat",
    ("device-placement", "cp-sat"): "accmine.models.device_placement_cpsat:DevicePlacementCpSat",
    ("kernel-sizing", "cp-sat"): "accmine.models.kernel_sizing_cpsat:KernelSizingCpSat",
    ("operator-schedule", "cp-sat"): "accmine.models.operator_schedule_cpsat:OperatorScheduleCpSat",
    ("pipeline-schedule", "cp-sat"): "accmine.models.pipeline_schedule_cpsat:PipelineScheduleCpSat",
    ("schedule-window", "cp-sat"): "accmine.models.schedule_window_cpsat:ScheduleWindowCpSat",
    ("sparse-dataflow", "cp-sat"): "accmine.models.sparse_dataflow_cpsat:SparseDataflowCpSat",
    ("stage-selection", "cp-sat"): "accmine.models.stage_selection_cpsat:StageSelectionCpSat",
    ("stage-selection", "highs"): "accmine.models.stage_selection_pyomo:StageSelectionPyomo",
    ("stage-selection", "limit-conflict"): "accmine.models.limit_conflict_cpsat:LimitConflictCpSat",
}
"""(problem kind, solver name) -> declared model."""

SOLVERS: dict[tuple[str, str], str] = {
    ("operator-schedule", "auto"): "accmine.solvers.operator_schedule.auto:Auto",
    ("operator-schedule", "critical-path"): "accmine.solvers.operator_schedule.critical_path:CriticalPath",
    ("operator-schedule", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("operator-schedule", "cp-sat-windows"): "accmine.solvers.operator_schedule.cpsat_windows:CpSatWindows",
    ("operator-schedule", "strong-bound"): "accmine.solvers.operator_schedule.proof_only:ProofOnly",
    ("pipeline-schedule", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("schedule-window", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("design-placement", "best-first"): "accmine.solvers.design_placement.best_first:BestFirst",
    ("design-search", "wham-like"): "accmine.solvers.design_search.wham_like:WhamLike",
    ("design-search", "best-first"): "accmine.solvers.design_search.best_first:BestFirst",
    ("design-search", "random"): "accmine.solvers.design_search.random_search:RandomSearch",
    ("design-search", "ga"): "accmine.solvers.design_search.genetic:Genetic",
    ("design-search", "tpe"): "accmine.solvers.design_search.tpe:Tpe",
    ("design-search", "gp-features"): "accmine.solvers.design_search.gaussian_process:GaussianProcess",
    ("design-search", "largest"): "accmine.solvers.design_search.rules:Largest",
    ("design-search", "tpu-scaled"): "accmine.solvers.design_search.rules:TpuScaled",
    ("design-search", "best-of-1000"): "accmine.solvers.design_search.rules:BestOf1000",
    ("design-search", "given"): "accmine.solvers.design_search.rules:Given",
    ("device-partition", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("device-placement", "chain"): "accmine.solvers.device_placement.chain:Chain",
    ("device-placement", "cp-sat"): "accmine.solvers.device_placement.graphs:Graphs",
    ("device-placement", "brute-force"): "accmine.solvers.device_placement.brute_force:BruteForce",
    ("kernel-sizing", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("kernel-sizing", "brute-force"): "accmine.solvers.kernel_sizing.brute_force:BruteForce",
    ("sparse-dataflow", "bisection"): "accmine.solvers.sparse_dataflow.bisection:Bisection",
    ("sparse-dataflow", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("sparse-dataflow", "brute-force"): "accmine.solvers.sparse_dataflow.brute_force:BruteForce",
    (
        "sparse-dataflow",
        "dynamic-programming",
    ): "accmine.solvers.sparse_dataflow.dynamic_programming:DynamicProgramming",
    ("sparse-dataflow", "pareto-greedy"): "accmine.solvers.sparse_dataflow.pareto_greedy:ParetoGreedy",
    ("sparse-dataflow", "tpe"): "accmine.solvers.sparse_dataflow.tpe:Tpe",
    ("stage-selection", "auto"): "accmine.solvers.stage_selection.auto:SelectionAuto",
    ("stage-selection", "bisection"): "accmine.solvers.stage_selection.bottleneck_bisection:BottleneckBisection",
    ("stage-selection", "lagrangian"): "accmine.solvers.stage_selection.prefix_lagrangian:PrefixLagrangian",
    ("stage-selection", "cp-sat"): "accmine.solvers.engines.cpsat:CpSat",
    ("stage-selection", "highs"): "accmine.solvers.engines.highs:Highs",
    ("stage-selection", "brute-force"): "accmine.solvers.stage_selection.brute_force:BruteForce",
    ("stage-selection", "limit-conflict"): "accmine.solvers.stage_selection.limit_conflict:LimitConflict",
}
"""(problem kind, solver name) -> solver. Its class is called with no argument."""

DEFAULT_SOLVER: dict[str, str] = {
    "design-placement": "best-first",
    "design-search": "best-first",
    "device-partition": "cp-sat",
    "device-placement": "chain",
    "kernel-sizing": "cp-sat",
    "operator-schedule": "auto",
    "pipeline-schedule": "cp-sat",
    "schedule-window": "cp-sat",
    "sparse-dataflow": "bisection",
    "stage-selection": "auto",
}
"""Solver that ``accmine solve`` takes when none is named."""

EXECUTORS: dict[str, str] = {
    "dask": "accmine.questions.sweep.dask_cluster:DaskExecutor",
}
"""Name -> what returns a ``concurrent.futures.Executor``; called with no argument, ``dask`` also with an address."""


@cache  # reading what is installed takes milliseconds, and solvers are made thousands of times
def _rows(group: str) -> dict[tuple[str, str], str]:
    rows: dict[tuple[str, str], str] = {}
    for point in entry_points(group=f"accmine.{group}"):
        kind, _, name = point.name.partition("/")
        rows[kind, name] = point.value
    return rows


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def importer_of(suffix: str) -> Callable[[Path], Mapping[str, Any]] | None:
    """What another package reads files of workloads with that end in ``suffix``, such as ``.csv``; ``None``: nothing.

    It is called with the file, and returns the keys and values that a description of a model has.
    """
    target = _rows("importers").get((suffix.removeprefix(".").lower(), ""))
    return None if target is None else cast(Any, _load(target))


def problem_module(kind: str) -> Kind:
    """The module that defines problem ``kind``.

    Raises
    ------
    InputError
        If no such problem is registered.
    """
    table = PROBLEMS | {kind: value for (kind, _), value in _rows("problems").items()}
    if kind not in table:
        raise InputError(f"unknown problem kind {kind!r}; known: {', '.join(sorted(table))}")
    return cast(Kind, import_module(table[kind]))


def kind_of(problem: Any) -> Kind:
    """The kind of ``problem``.

    Raises
    ------
    InputError
        If it is no problem, or of a kind that is not registered.
    """
    if not isinstance(problem, Problem):
        raise InputError(f"{type(problem).__module__}.{type(problem).__qualname__} is not a problem")
    return problem_module(problem.kind)


def explainer(kind: str) -> Callable[[Any, Clock], tuple[tuple[str, ...], tuple[str, ...]]] | None:
    """What tells by a given time why a problem of a kind has no solution, where that takes solvers."""
    return cast(Any, _load(WHY_NOT[kind])) if kind in WHY_NOT else None


def solvers_of(kind: str) -> list[str]:
    """Names of the solvers of problem ``kind``."""
    return sorted(name for k, name in SOLVERS | _rows("solvers") if k == kind)


def place_of(kind: str, name: str) -> str:
    """Where a solver stands, ``module:object``; empty for none."""
    return (SOLVERS | _rows("solvers")).get((kind, name), "")


def make_solver(kind: str, name: str, **options: Any) -> Any:
    """A new solver ``name`` for problem ``kind``, with the options its class takes.

    It satisfies ``accmine.ports.Solver``, or has ``solve`` in place of ``search`` (see ``accmine.solving.solve``).

    Raises
    ------
    InputError
        If no such solver is registered for this problem.
    """
    table = SOLVERS | _rows("solvers")
    if (kind, name) not in table:
        raise InputError(f"unknown solver {name!r} for {kind}; known: {', '.join(solvers_of(kind))}")
    return _load(table[kind, name])(**options)


def make_model(kind: str, name: str) -> Model:
    """A new, unbuilt model of problem ``kind`` for the solver ``name``.

    Raises
    ------
    InputError
        If no such model is registered.
    """
    table = MODELS | _rows("models")
    if (kind, name) not in table:
        raise InputError(f"no model of {kind} for {name!r}; known: {', '.join(n for k, n in table if k == kind)}")
    return cast(Model, _load(table[kind, name])())


def executors() -> list[str]:
    """Names of the executors."""
    return sorted(EXECUTORS | {name: value for (name, _), value in _rows("executors").items()})


def make_executor(name: str, *arguments: Any) -> Any:
    """A new executor ``name``, which whoever asked for it shuts down.

    Raises
    ------
    InputError
        If none is registered under this name, or what is cannot be imported.
    """
    table = EXECUTORS | {name: value for (name, _), value in _rows("executors").items()}
    if name not in table:
        raise InputError(f"unknown executor {name!r}; known: {', '.join(sorted(table))}")
    try:
        made = _load(table[name])
    except (ImportError, AttributeError) as error:
        raise InputError(f"the executor {name!r} cannot be loaded from {table[name]}: {error}") from None
    return made(*arguments)
