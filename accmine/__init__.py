"""accmine: accelerators for distributed DNN training, designed by constrained optimisation with certificates.

>>> import accmine
>>> outcome = accmine.load("quickstart", ["limits.area=580 mm^2"]).run()  # doctest: +SKIP
>>> outcome.certificate.gap  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from accmine.version import __version__

if TYPE_CHECKING:
    from accmine.ports import Incumbent
    from accmine.questions.run.placement.record import PlacementOutcome
    from accmine.questions.run.record import Outcome
    from accmine.questions.sweep.record import PointRecord, SweepResult
    from accmine.study.study import LoadedStudy, Study
    from accmine.study.sweep import LoadedSweep

__all__ = ["ReadyStudy", "__version__", "load", "load_sweep", "sweep"]

if find_spec("accmine.models") is None:
    # Python in a checkout finds this folder before an installed accmine; models, solvers and configs lie beside it.
    _checkout = Path(__file__).resolve().parent.parent
    if all((_checkout / part).is_file() for part in ("pyproject.toml", "models/__init__.py", "configs/__init__.py")):
        __path__.append(str(_checkout))


@dataclass(frozen=True)
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

    def effective(self) -> str:
        """The study with every default written out, as YAML; itself a valid study."""
        from accmine.study.study import effective

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
            read from there; one of a smaller budget goes on.
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


def load(name_or_path: str | Path, overrides: Sequence[str] = (), *, design: str | Path | None = None) -> ReadyStudy:
    """Read and check a study.

    Parameters
    ----------
    name_or_path
        Name of a shipped study, or a file.
    overrides
        ``key.key=value`` each, as ``--set`` takes them.
    design
        A design (name or file) to study instead of the accelerator's space, as ``--design`` takes it.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    from accmine.study.study import load_study

    return ReadyStudy(load_study(name_or_path, overrides, design=design))


def load_sweep(name_or_path: str | Path, overrides: Sequence[str] = ()) -> LoadedSweep:
    """Read and check a study with a block ``sweep``; parameters and errors as of ``load``."""
    from accmine.study.sweep import load_sweep

    return load_sweep(name_or_path, overrides)


def sweep(
    asked: str | Path | LoadedSweep,
    overrides: Sequence[str] = (),
    *,
    runs_dir: str | Path = "runs",
    jobs: int = 1,
    again: bool = False,
    retry: bool = False,
    on_point: Callable[[PointRecord], None] | None = None,
) -> SweepResult:
    """Run a study at every point of its block ``sweep``; the same as ``accmine sweep``.

    Parameters
    ----------
    asked
        Name of a shipped study, a file, or what ``load_sweep`` gives.
    runs_dir, again
        As of ``ReadyStudy.run``; finished points are read from there.
    jobs
        Points at a time, which share the processes of ``budget.workers``.
    retry
        Run points again that failed or found nothing.
    on_point
        Called with each point as it is finished.

    Raises
    ------
    InputError
        With everything that is wrong with the study or the values of its points. What is wrong with one point alone is
        in its row.
    """
    from accmine.questions.sweep.measure import run_sweep
    from accmine.study.sweep import LoadedSweep

    loaded = asked if isinstance(asked, LoadedSweep) else load_sweep(asked, overrides)
    return run_sweep(loaded, runs_dir=Path(runs_dir), jobs=jobs, again=again, retry=retry, on_point=on_point)
