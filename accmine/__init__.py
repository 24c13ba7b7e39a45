"""accmine: accelerators for distributed DNN training, designed by constrained optimisation with certificates.

Every command is a function of its name, which returns what the command prints:

>>> import accmine
>>> outcome = accmine.run("quickstart", limits={"area": "580 mm^2"}, seconds=5)  # doctest: +SKIP
>>> outcome.certificate.gap  # doctest: +SKIP

Nothing is imported before it is used. ``accmine.cost``, ``accmine.kernel`` and ``accmine.report`` are folders of the
source as well, and can be called all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from accmine.version import __version__

if TYPE_CHECKING:
    from accmine.questions.api import compare as compare
    from accmine.questions.api import list as list
    from accmine.questions.api import results as results
    from accmine.questions.api import run as run
    from accmine.questions.api import schema as schema
    from accmine.questions.api import show as show
    from accmine.questions.api import sweep as sweep
    from accmine.questions.api import validate as validate
    from accmine.questions.measures import calibrate as calibrate
    from accmine.questions.measures import check as check
    from accmine.questions.measures import export as export
    from accmine.questions.measures import gap as gap
    from accmine.questions.measures import ledger as ledger
    from accmine.questions.measures import sensitivity as sensitivity
    from accmine.questions.measures import solve as solve
    from accmine.questions.measures import stability as stability
    from accmine.questions.ready import ReadyStudy as ReadyStudy
    from accmine.questions.ready import load as load
    from accmine.questions.ready import load_sweep as load_sweep

_HOMES = {
    "ready": ("ReadyStudy", "load", "load_sweep"),
    "api": ("compare", "list", "results", "run", "schema", "show", "sweep", "validate"),
}
"""File of ``accmine.questions`` -> its names; the others are in ``measures``."""

_FOLDERS = ("cost", "kernel", "report")
"""Commands that are folders as well."""

__all__ = [
    "ReadyStudy",
    "__version__",
    "calibrate",
    "check",
    "compare",
    "cost",
    "export",
    "gap",
    "kernel",
    "ledger",
    "list",
    "load",
    "load_sweep",
    "report",
    "results",
    "run",
    "schema",
    "sensitivity",
    "show",
    "solve",
    "stability",
    "sweep",
    "validate",
]

if find_spec("accmine.models") is None:
    # Python in a checkout finds this folder before an installed accmine; models, solvers and configs lie beside it.
    _checkout = Path(__file__).resolve().parent.parent
    if all((_checkout / part).is_file() for part in ("pyproject.toml", "models/__init__.py", "configs/__init__.py")):
        __path__.append(str(_checkout))


def _function(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), "measures")
    return getattr(import_module(f"accmine.questions.{home}"), name)


def _attribute(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'accmine' has no attribute {name!r}")
    if name in _FOLDERS:
        return import_module(f"accmine.{name}")
    return _function(name)


if not TYPE_CHECKING:  # else every name that is misspelt would be taken for one that is there
    __getattr__ = _attribute


def __dir__() -> Iterable[str]:
    return sorted({*globals(), *__all__})


class _Command(ModuleType):
    """A folder that is called as the command of its name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return _function(self.__name__.rpartition(".")[2])(*arguments, **options)


class _Accmine(ModuleType):
    """Makes the folders that are commands callable, as the import of one puts it here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FOLDERS and type(value) is ModuleType:
            value.__class__ = _Command
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Accmine
