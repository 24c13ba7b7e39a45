"""The chart of a run that is drawn again from its schedule."""

from __future__ import annotations

from pathlib import Path

from accmine.errors import InputError
from accmine.questions.run.folder import RunFolder

__all__ = ["draw_run"]


def draw_run(folder: RunFolder, png: Path) -> None:
    """Draw the schedule of a run into a file.

    Raises
    ------
    InputError
        If the run has no schedule, or one that no run writes; and what drawing refuses.
    """
    from accmine.report.charts.gantt import draw

    trace = folder.read_json("schedule.json")
    if trace is None:
        raise InputError(f"{folder.path} has no schedule.json to draw")
    try:
        draw(trace, png)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise folder.not_written("schedule.json", error) from None
