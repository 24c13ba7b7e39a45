"""The placement of a run as options of Megatron-LM."""

from __future__ import annotations

from accmine.errors import InputError
from accmine.questions.run.folder import RunFolder
from accmine.questions.run.placement.files import placement_files
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.reading import outcome_of

__all__ = ["files"]


def files(folder: RunFolder) -> dict[str, str]:
    """Name and text of each file: an option a line, and the placement itself.

    Raises
    ------
    InputError
        If the run has no placement of its own: that of its study was given.
    """
    result = folder.read_json("result.json")
    if result is None or result.get("kind") != PlacementOutcome.kind:
        raise InputError(f"{folder.path} decided no placement; a study with parallel: does")
    with folder.using("result.json"):
        outcome = outcome_of(result)
    assert isinstance(outcome, PlacementOutcome)
    return {"megatron.txt": "\n".join(outcome.megatron) + "\n", **placement_files(outcome)}
