"""Options that several commands share, and the exit code of an interrupt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["INTERRUPTED", "RUNS", "Json", "Runs", "Seconds", "Set", "StudyName", "Workers"]

INTERRUPTED = 130

StudyName = Annotated[str, typer.Argument(help="Name of a shipped study, or a YAML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study, e.g. limits.area='400 mm^2'."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seconds = Annotated[float | None, typer.Option(min=0, help="Wall-clock limit.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes or threads.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the run folders.")]
RUNS = Path("runs")
