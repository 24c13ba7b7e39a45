"""What ``accmine run`` does with a study of a sparse dataflow accelerator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from accmine.errors import InfeasibleError
from accmine.questions.options import RUNS, echo_json, exit_code, progress

__all__ = ["COMMANDS", "sparse"]


def sparse(
    study: str,
    overrides: Sequence[str] | None = None,
    *,
    again: bool = False,
    runs: Path = RUNS,
    quiet: bool = False,
    verbose: bool = False,
    as_json: bool = False,
) -> None:
    """Find the fastest design of a study, and print it with its certificate and what binds it; ends with an exit."""
    from accmine.questions.run.reading import render
    from accmine.questions.sparse.study.run import run_sparse
    from accmine.report import colored, terminal_width
    from accmine.study import read_document
    from accmine.study.sparse import sparse_in

    loaded = sparse_in(*read_document(study, overrides or []))
    try:
        with progress(quiet, verbose, as_json, seconds=loaded.study.budget.seconds) as shown:
            outcome = run_sparse(loaded, runs_dir=runs, again=again, on_progress=shown, watch=shown)
    except InfeasibleError as error:
        if not as_json:
            raise
        echo_json({"kind": loaded.study.kind, "study": loaded.study.name, **error.to_json()})
        raise typer.Exit(InfeasibleError.exit_code) from None
    if as_json:
        echo_json(outcome.to_json())
    else:
        typer.echo(render(outcome, width=terminal_width(), color=colored()), nl=False)
    raise typer.Exit(exit_code(outcome.status, outcome.stop))


COMMANDS = {"sparse": sparse}
"""Called by ``accmine run``, by the name of this question."""
