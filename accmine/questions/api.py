"""The commands as functions of the same names: what ``accmine NAME`` prints, as values.

Arguments are those of the commands, with values in the place of texts; a study may be a name, a file, its keys as a
mapping, or one that was loaded, and its keys may be given as keywords (``accmine.load``). Errors are the same, and are
raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from accmine.errors import InputError
from accmine.questions.ready import Overrides, ReadyStudy, StudyLike, load, loaded_study

if TYPE_CHECKING:
    from accmine.ports import Incumbent
    from accmine.questions.results.differences import Differences
    from accmine.questions.run.folder import RunFolder
    from accmine.questions.run.placement.record import AnyOutcome
    from accmine.report.records import Records

__all__ = [
    "ReadyStudy",
    "compare",
    "list",
    "load",
    "results",
    "run",
    "schema",
    "show",
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
) -> AnyOutcome:
    """Find the best design of a study: ``run("quickstart", seconds=5, limits={"area": "580 mm^2"})``.

    Parameters as of ``load`` and ``ReadyStudy.run``, also of a study whose placement is decided with the design.

    Raises
    ------
    InputError, InfeasibleError, NothingFoundError, CheckError, KeyboardInterrupt
        As of ``ReadyStudy.run``.
    """
    changes = _patience(keys, seconds, workers)
    ready = ReadyStudy(loaded_study(study, overrides, design=design, **changes))
    find = ready.place if ready.study.placed else ready.run
    return find(runs_dir=runs, again=again, on_progress=on_progress, on_interrupt=on_interrupt)


def _folder(run: str | Path, runs: str | Path, latest: bool) -> RunFolder:
    from accmine.questions.run.folder import find_run

    return find_run(Path(runs), str(run), latest=latest)


def show(run: str | Path, *, runs: str | Path = RUNS, latest: bool = False) -> AnyOutcome:
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
    from accmine.questions.run.reading import outcome_of

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
            return outcome_of(table)
    raise refusal


def validate(study: StudyLike, overrides: Overrides = (), **keys: Any) -> dict[str, Any]:
    """Check a study with the files that it names; returns every key with its value.

    Raises
    ------
    InputError
        With everything that is wrong.
    InfeasibleError
        If no design meets the limits.
    """
    from accmine.plan import placement_of, plan_of
    from accmine.study import as_mapping

    loaded = loaded_study(study, overrides, **keys)
    _ = placement_of(loaded) if loaded.study.placed else plan_of(loaded)
    return as_mapping(loaded.study)


def schema() -> dict[str, Any]:
    """The JSON Schema of a study."""
    from accmine.study import schema

    return schema()


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


def compare(*runs_or_study: str | Path, runs: str | Path = RUNS, latest: bool = False) -> Differences:
    """What changed between two runs or more: in their studies, and in their answers.

    Raises
    ------
    InputError
        For fewer than two runs, and those that are not there or have no result.
    """
    from accmine.questions.results.differences import differences

    return differences([_folder(run, runs, latest) for run in runs_or_study])
