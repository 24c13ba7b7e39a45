"""Studies in Python: by name, file or mapping, with changes as values; read, checked, and run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from accmine.errors import InputError

if TYPE_CHECKING:
    from accmine.files import Document
    from accmine.ports import Incumbent
    from accmine.questions.run.placement.record import PlacementOutcome
    from accmine.questions.run.record import Outcome
    from accmine.questions.run.several.front_record import FrontOutcome
    from accmine.study import LoadedStudy, LoadedSweep, Study
    from accmine.study.sparse import LoadedSparse

__all__ = ["Overrides", "ReadyStudy", "StudyLike", "document_of", "load", "load_sweep", "loaded_study", "of_other_kind"]

Overrides = Sequence[str] | Mapping[str, Any]
"""``key.key=value`` each, as ``--set`` takes them; or dotted keys with their values."""


@dataclass(frozen=True, repr=False)
class ReadyStudy:
    """A valid study that can be run.

    Attributes
    ----------
    loaded
        The study with the document and the file it was read from.
    """

    loaded: LoadedStudy

    @property
    def study(self) -> Study:
        """Every key with its value, as checked objects."""
        return self.loaded.study

    def __repr__(self) -> str:
        """Its name and what it trains, in a line; ``effective`` shows every key."""
        models = ", ".join(workload.name for workload in self.study.workloads)
        return f"<ReadyStudy {self.study.name}: {models}; {self.study.objective}>"

    def effective(self) -> str:
        """The study with every default written out, as YAML; itself a valid study."""
        from accmine.study import effective

        return effective(self.loaded.study)

    def run(
        self,
        *,
        runs_dir: str | Path = "runs",
        again: bool = False,
        on_progress: Incumbent | None = None,
        on_interrupt: Literal["raise", "return"] = "raise",
    ) -> Outcome:
        """Find the best design; the same as ``accmine run``.

        Parameters
        ----------
        runs_dir
            Folder of the run folders. A finished run of the same study, code and solvers and of as large a budget is
            read from there, and its ``earlier_run`` says so; one of a smaller budget goes on.
        again
            Compute also what is there already.
        on_progress
            Called with (seconds, objective, bound) whenever one of the two moves.
        on_interrupt
            What Ctrl-C does once the best verified answer is saved: ``raise``, or ``return`` it, its ``stop``
            ``interrupted``.

        Raises
        ------
        InputError
            If a file that the study names is wrong; nothing is written.
        InfeasibleError
            If no design meets the limits; says which, and the smallest value that works.
        CheckError
            If a solution fails its check.
        KeyboardInterrupt
            At Ctrl-C, once what is verified is saved; before anything is, whatever ``on_interrupt`` says.
        """
        from accmine.questions.run.run import run

        outcome = run(self.loaded, runs_dir=Path(runs_dir), again=again, on_progress=on_progress)
        if outcome.stop == "interrupted" and on_interrupt == "raise":
            raise KeyboardInterrupt
        return outcome

    def place(
        self,
        *,
        runs_dir: str | Path = "runs",
        again: bool = False,
        on_progress: Incumbent | None = None,
        on_interrupt: Literal["raise", "return"] = "raise",
    ) -> PlacementOutcome:
        """As ``run``, of a study whose placement is decided with the design."""
        from accmine.questions.run.run import place

        outcome = place(self.loaded, runs_dir=Path(runs_dir), again=again, on_progress=on_progress)
        if outcome.stop == "interrupted" and on_interrupt == "raise":
            raise KeyboardInterrupt
        return outcome

    def front(
        self,
        *,
        runs_dir: str | Path = "runs",
        again: bool = False,
        on_progress: Incumbent | None = None,
        on_interrupt: Literal["raise", "return"] = "raise",
    ) -> FrontOutcome:
        """As ``run``, of a study with two objectives."""
        from accmine.questions.run.run import front

        outcome = front(self.loaded, runs_dir=Path(runs_dir), again=again, on_progress=on_progress)
        if outcome.stop == "interrupted" and on_interrupt == "raise":
            raise KeyboardInterrupt
        return outcome


StudyLike = str | Path | Mapping[str, Any] | ReadyStudy
"""Name of a shipped study, a file, its keys as a mapping, or one that was loaded."""


def load(study: StudyLike, overrides: Overrides = (), *, design: str | Path | None = None, **keys: Any) -> ReadyStudy:
    """Read and check a study.

    Parameters
    ----------
    study
        Name of a shipped study, a file, or its keys as a mapping; files that a mapping names are looked for in the
        current folder.
    overrides
        ``key.key=value`` each, as ``--set`` takes them, or a mapping of dotted keys:
        ``{"workloads.0.batch": 64}``.
    design
        A design (name or file) to study instead of the accelerator's space, as ``--design`` takes it.
    **keys
        Keys of the study with numbers, texts with units, lists or mappings, after ``overrides``. A mapping changes
        the keys it names and leaves the others: ``limits={"area": "400 mm^2"}, budget={"seconds": 5}``.

    Raises
    ------
    InputError
        With everything that is wrong, each with its key.
    """
    return ReadyStudy(loaded_study(study, overrides, design=design, **keys))


def load_sweep(study: str | Path | Mapping[str, Any], overrides: Overrides = (), **keys: Any) -> LoadedSweep:
    """Read and check a study with a block ``sweep``, which may be a keyword; parameters and errors as of ``load``."""
    from accmine.files import dump, load_yaml
    from accmine.study import load_sweep, sweep_in

    if not isinstance(study, Mapping) and not isinstance(overrides, Mapping) and not keys:
        return load_sweep(study, overrides)
    document, path = document_of(study, overrides, **keys)
    text = dump(document.data, flow=None)  # with all changes: workers elsewhere read it again
    return sweep_in(load_yaml(text=text, name=document.name), path)


def loaded_study(
    study: StudyLike, overrides: Overrides = (), *, design: str | Path | None = None, **keys: Any
) -> LoadedStudy:
    """As ``load``, the study that the commands work with."""
    from accmine.study import block_of, study_in

    if isinstance(study, ReadyStudy):
        if overrides or keys or design is not None:
            raise InputError("a study that was loaded takes no changes: give them to load", field="overrides")
        return study.loaded
    document, path = document_of(study, overrides, design=design, **keys)
    if block := block_of(document):
        message = f"asks for more than one run, which is for accmine.{block}"
        raise InputError(message, document.locate((block,), key=True), block)
    return study_in(document, path)


def of_other_kind(
    study: str | Path | Mapping[str, Any], overrides: Overrides = (), *, design: str | Path | None = None, **keys: Any
) -> LoadedSparse | None:
    """A study of another kind than training, checked; ``None`` for one of training. Parameters as of ``load``."""
    from accmine.study import kind_of
    from accmine.study.sparse import sparse_in

    document, path = document_of(study, overrides, **keys)
    kind = kind_of(document)
    if kind and design is not None:
        raise InputError(f"has no effect on a study of kind {kind}", field="design")
    return sparse_in(document, path) if kind else None


def document_of(
    study: str | Path | Mapping[str, Any], overrides: Overrides = (), *, design: str | Path | None = None, **keys: Any
) -> tuple[Document, Path]:
    """The document of a study with all changes, and the file that others are looked for beside."""
    from accmine.files import Document, is_file_reference, overridden, resolve
    from accmine.study import read_document

    if isinstance(study, Mapping):
        # No text: complaints name the key, and no line of a file that is none.
        document, path = Document(_plain(study, "study"), "study", ""), Path.cwd() / "study.yaml"
    else:
        document, path = read_document(study)
    if isinstance(overrides, Mapping):
        words = [(_word(key, value), "overrides") for key, value in overrides.items()]
    else:
        words = [(text, f"--set {text}") for text in overrides]
    if design is not None:
        use = str(resolve("accelerators", design)) if is_file_reference(design) else str(design)
        words.append((_word("accelerator", {"use": use}), f"design {design}"))
    for key, value in keys.items():
        words += [(word, "keywords") for word in _changes(document.data, key, _plain(value, key))]
    return overridden(document, words), path


def _changes(data: Any, place: str, value: Any) -> Iterator[str]:
    """A change as ``key.key=value``: a mapping goes into one that is there, anything else takes its place."""
    own = data.get(place.rpartition(".")[2]) if isinstance(data, Mapping) else None
    if isinstance(value, Mapping) and value and isinstance(own, Mapping):
        for key, item in value.items():
            yield from _changes(own, f"{place}.{key}", item)
    else:
        yield _word(place, value)


def _word(key: str, value: Any) -> str:
    return f"{key}={json.dumps(_plain(value, key), ensure_ascii=False)}"


def _plain(value: Any, place: str) -> Any:
    """A value as YAML knows it: of tuples lists, of paths and texts texts, of NumPy's numbers numbers.

    Raises
    ------
    InputError
        For anything else; names the key.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}.{i}") for i, item in enumerate(value)]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str | Path):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and isfinite(value):
        return float(value)
    message = f"must be a finite number, a text, true or false, a list or a mapping; got {value!r:.60}"
    raise InputError(message, field=place)
