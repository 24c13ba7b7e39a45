"""The commands as functions of the same names: what ``accmine NAME`` prints, as values.

Arguments are those of the commands, with values in the place of texts; a study may be a name, a file, its keys as a
mapping, or one that was loaded, and its keys may be given as keywords (``accmine.load``). Errors are the same, and are
raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from accmine.errors import InputError
from accmine.questions.ready import Overrides, ReadyStudy, StudyLike, load, load_sweep, loaded_study, of_other_kind

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from accmine.ports import Incumbent
    from accmine.questions.results.differences import Differences
    from accmine.questions.run.folder import RunFolder
    from accmine.questions.run.placement.record import AnyOutcome
    from accmine.questions.run.reading import AnySparse
    from accmine.questions.sweep.record import PointRecord, SweepResult
    from accmine.report.records import Records
    from accmine.study import LoadedSweep

__all__ = [
    "ReadyStudy",
    "compare",
    "list",
    "load",
    "load_sweep",
    "results",
    "run",
    "schema",
    "show",
    "sweep",
    "validate",
]

RUNS = "runs"


def _patience(keys: Mapping[str, Any], seconds: float | None, workers: int | None) -> dict[str, Any]:
    """Keys with a budget of so many seconds and workers, where they are given."""
    given = {key: value for key, value in (("seconds", seconds), ("workers", workers)) if value is not None}
    return {**keys, "budget": {**keys.get("budget", {}), **given}} if given else dict(keys)


def run(
    study: StudyLike,
    overrides: Overrides = (),
    *,
    seconds: float | None = None,
    workers: int | None = None,
    design: str | Path | None = None,
    again: bool = False,
    runs: str | Path = RUNS,
    on_progress: Incumbent | None = None,
    on_interrupt: Literal["raise", "return"] = "raise",
    **keys: Any,
) -> AnyOutcome | AnySparse:
    """Find the best design of a study: ``run("quickstart", seconds=5, limits={"area": "580 mm^2"})``.

    Parameters as of ``load`` and ``ReadyStudy.run``; studies of every kind.

    Returns
    -------
    AnyOutcome
        Of a study of training.
    SparseOutcome, SpreadOutcome
        Of one of kind sparse-dataflow, on one device and on several.

    Raises
    ------
    InputError, InfeasibleError, NothingFoundError, CheckError, KeyboardInterrupt
        As of ``ReadyStudy.run``.
    """
    from accmine.questions.run.run import run_study
    from accmine.questions.sparse.study.run import run_sparse

    changes = _patience(keys, seconds, workers)
    how: dict[str, Any] = {"runs_dir": Path(runs), "again": again}
    other = None if isinstance(study, ReadyStudy) else of_other_kind(study, overrides, design=design, **changes)
    if other is not None:
        outcome: AnyOutcome | AnySparse = run_sparse(other, **how, on_progress=on_progress)
    else:
        loaded = loaded_study(study, overrides, design=design, **changes)
        outcome = run_study(loaded, **how, on_progress=on_progress)
    if outcome.stop == "interrupted" and on_interrupt == "raise":
        raise KeyboardInterrupt
    return outcome


def _folder(run: str | Path, runs: str | Path, latest: bool) -> RunFolder:
    from accmine.questions.run.folder import find_run

    return find_run(Path(runs), str(run), latest=latest)


def show(run: str | Path, *, runs: str | Path = RUNS, latest: bool = False) -> AnyOutcome | AnySparse:
    """The outcome of a run: a run folder, or the start of the name of one below ``runs``.

    Parameters
    ----------
    latest
        Of several runs whose names begin so, the newest.

    Raises
    ------
    InputError
        If there is no such run, several, or none with a result.
    InfeasibleError, NothingFoundError
        If that is how it ended.
    """
    from accmine.errors import InfeasibleError, NothingFoundError
    from accmine.questions.run.reading import answer_of

    folder = _folder(run, runs, latest)
    table = folder.read_json("result.json")
    if table is None:
        raise InputError(f"{folder.path} has no result; its state is: {folder.state}")
    with folder.using("result.json"):
        if table.get("status") == "infeasible":
            refusal: Exception = InfeasibleError.from_json(table)
        elif table.get("status") == "unknown":
            refusal = NothingFoundError(str(table["message"]), table.get("bound"))
        else:
            return answer_of(table)
    raise refusal


def validate(
    study: StudyLike, overrides: Overrides = (), *, kernel: str | Path | None = None, **keys: Any
) -> dict[str, Any]:
    """Check a study with the files that it names; returns every key with its value.

    Parameters
    ----------
    study, overrides, **keys
        As of ``load``; or a described architecture and ``NAME=VALUE`` of its parameters.
    kernel
        A file: the kernel that is checked on the architecture.

    Raises
    ------
    InputError
        With everything that is wrong.
    InfeasibleError
        If no design meets the limits.
    """
    from accmine.plan import placement_of, plan_of
    from accmine.questions.study.described import checked_description, is_described
    from accmine.study import as_mapping
    from accmine.study.sparse import read_sparse

    if isinstance(study, str | Path) and (kernel is not None or is_described(study)):
        if keys or isinstance(overrides, Mapping):
            raise InputError("a description takes its parameters as overrides, NAME=VALUE", field="overrides")
        return checked_description(study, kernel, overrides)
    other = None if isinstance(study, ReadyStudy) else of_other_kind(study, overrides, **keys)
    if other is not None:
        read_sparse(other)
        return as_mapping(other.study)
    loaded = loaded_study(study, overrides, **keys)
    _ = placement_of(loaded) if loaded.study.placed else plan_of(loaded.one_run)
    return as_mapping(loaded.study)


def schema(what: str = "study") -> dict[str, Any]:
    """The JSON Schema of a kind of file: as ``accmine schema`` takes it, ``study``, ``cluster``, ``kernel``, ….

    Raises
    ------
    InputError
        For another kind; names those that there are.
    """
    from accmine.questions.study.schemas import schema_of

    return schema_of(what)


def list(what: str, *, runs: str | Path = RUNS) -> Records:  # the name of the command
    """The entries of a kind of the catalogue, the solvers, or the runs below ``runs``.

    Raises
    ------
    InputError
        For another kind; names those that there are.
    """
    from accmine.questions.study.listing import rows
    from accmine.report.records import records

    return records(rows(what, Path(runs)))


def results(
    *folders: str | Path,
    runs: str | Path = RUNS,
    where: str = "",
    columns: Sequence[str] = (),
    sort: Sequence[str] = (),
) -> Records:
    """What all runs and sweeps found, a row each: ``results(where="gap > 1", sort=["-gap"]).to_pandas()``.

    Raises
    ------
    InputError
        For a folder or a column that is not there, and for a condition that is none.
    """
    from accmine.questions.results.query import select
    from accmine.questions.results.table import results as rows

    return select(rows([Path(folder) for folder in folders], Path(runs)), where, columns, sort)


def compare(*targets: str | Path, **options: Any) -> Differences | Records:
    """What changed between two runs or more; or searches for a design on equal terms, on one study.

    Parameters
    ----------
    targets
        Run folders, or the starts of their names; or one study or comparison.
    **options
        Those of ``accmine compare``: ``compare("quickstart", methods=["wham-like", "random"], seeds=2, seconds=5)``;
        of runs ``runs`` alone.

    Returns
    -------
    Differences
        Of runs: keys of the study and columns of the answer that changed.
    Records
        Of searches: a row for each method and seed.

    Raises
    ------
    InputError
        For what is not there, has no result, or has no effect.
    """
    from accmine.questions.results.differences import differences
    from accmine.report.records import records

    if len(targets) != 1:
        if wrong := [key for key in options if key != "runs"]:
            raise InputError("has no effect on runs, which are finished", field=wrong[0])
        return differences([_folder(run, options.get("runs", RUNS), False) for run in targets])
    from accmine.questions.asked import ask

    return records(ask("compare", "compare", targets, options)["rows"])


def sweep(
    study: str | Path | Mapping[str, Any] | LoadedSweep,
    overrides: Overrides = (),
    *,
    seconds: float | None = None,
    workers: int | None = None,
    jobs: int = 1,
    shard: str | None = None,
    merge: bool = False,
    cluster: str | None = None,
    executor: str | Executor | None = None,
    retry: bool = False,
    again: bool = False,
    runs: str | Path = RUNS,
    on_point: Callable[[PointRecord], None] | None = None,
    **keys: Any,
) -> SweepResult:
    """Run a study at every point of its block ``sweep``; ``to_pandas`` of what is returned is the table.

    Parameters
    ----------
    study
        As of ``load_sweep``, or what it gives; the block may be a keyword:
        ``sweep={"grid": {"limits.area": ["400 mm^2", "600 mm^2"]}}``.
    seconds, workers
        Wall-clock limit of each point, and processes of all together.
    jobs
        Points at a time.
    shard, merge
        ``"2/8"``: only the second eighth of the points; and, once all shards are done, the table of all of them.
    cluster, executor
        What runs the points: address of a Dask scheduler; a ``concurrent.futures.Executor``, or the name of one.
    on_point
        Told each point as it is finished.

    Raises
    ------
    InputError
        If the sweep is wrong: with every value that is. What is wrong with one point alone is in its row.
    KeyboardInterrupt
        Never: what is finished is returned, ``complete`` says whether that is all.
    """
    from accmine.questions.sweep.executors import opened
    from accmine.questions.sweep.measure import run_sweep
    from accmine.questions.sweep.shards import shard_of

    if (shard is not None and merge) or (cluster is not None and executor is not None):
        raise InputError("shard and merge exclude each other, and so do cluster and executor")
    loaded = _sweep_of(study, overrides, _patience(keys, seconds, workers))
    how: dict[str, Any] = {"jobs": jobs, "merge": merge, "again": again, "retry": retry, "on_point": on_point}
    part = None if shard is None else shard_of(shard)
    with ExitStack() as open_ones:
        if cluster is not None or isinstance(executor, str):
            name = ("dask", cluster) if cluster is not None else (str(executor),)
            executor = open_ones.enter_context(opened(*name))
        return run_sweep(loaded, runs_dir=Path(runs), shard=part, executor=executor, **how)


def _sweep_of(
    study: str | Path | Mapping[str, Any] | LoadedSweep, overrides: Overrides, changes: dict[str, Any]
) -> LoadedSweep:
    from accmine.study import LoadedSweep

    if not isinstance(study, LoadedSweep):
        return load_sweep(study, overrides, **changes)
    if overrides or changes:
        raise InputError("a sweep that was loaded takes no changes: give them to load_sweep", field="overrides")
    return study
