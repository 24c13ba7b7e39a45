"""Tree-structured Parzen estimator of Optuna over the tunables; core counts as shares of what fits."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from accmine.errors import InputError
from accmine.problems.design_search import Solution
from accmine.record import Record
from accmine.result import StopReason

from .space import Code, Looks, Space, guide

__all__ = ["Tpe", "needed"]

_KNOWN = 5
"""Proposals in a row that may be known already before a design is drawn at random."""


def needed(module: str, solver: str) -> Any:
    """A library of the extra ``searches``.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        top = {"sklearn": "scikit-learn"}.get(module.partition(".")[0], module.partition(".")[0])
        raise InputError(f"{solver} needs {top}; install it with: pip install 'accmine[searches]'") from None


class Tpe:
    """Solver of design searches by Optuna's TPE sampler, several variables together.

    Parameters
    ----------
    startup
        Designs that are drawn before the estimator begins.

    Raises
    ------
    InputError
        If Optuna is not installed.
    """

    name = "tpe"

    def __init__(self, *, startup: int = 10) -> None:
        self.startup = startup
        self._optuna = needed("optuna", self.name)

    def search(self, record: Record[Solution]) -> StopReason:
        """Ask and tell until the limits pass, or every feasible design was looked at."""
        looks, optuna = Looks(record), self._optuna
        space = looks.space
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = optuna.samplers.TPESampler(seed=record.seed, multivariate=True, n_startup_trials=self.startup)
            study, axes = optuna.create_study(sampler=sampler), _axes(optuna, space)
            known = 0
            while (reason := looks.over()) is None:
                if known < _KNOWN:
                    trial = study.ask(axes)
                    code = _code(space, trial.params)
                    known = known + 1 if code in looks.known else 0
                    study.tell(trial, guide(looks.problem, looks(code)))
                    continue
                known, code = 0, looks.new()
                value = guide(looks.problem, looks(code))
                made = optuna.trial.create_trial(params=_params(space, code), distributions=axes, value=value)
                study.add_trial(made)
            return reason
        finally:
            optuna.logging.set_verbosity(before)


def _axes(optuna: Any, space: Space) -> dict[str, Any]:
    """What is asked for: positions of core types that have several values, and two shares."""
    kinds = optuna.distributions
    found: dict[str, Any] = {}
    for i, (size, ordered) in enumerate(zip(space.sizes[:-2], space.ordered, strict=False)):
        if size > 1:
            whole = kinds.IntDistribution(0, size - 1)
            found[str(i)] = whole if ordered else kinds.CategoricalDistribution(tuple(range(size)))
    shares = {name: kinds.FloatDistribution(0.0, 1.0) for name in ("tensor", "vector")}
    return found | {
        name: kind for name, kind, n in zip(shares, shares.values(), space.sizes[-2:], strict=True) if n > 1
    }


def _code(space: Space, params: dict[str, Any]) -> Code:
    types = [int(params.get(str(i), 0)) for i in range(len(space.sizes) - 2)]
    fitting = space.fits(space.repaired([*types, 0, 0]))
    a = round(params.get("tensor", 0.0) * (int(fitting[:, 0].sum()) - 1))
    b = round(params.get("vector", 0.0) * (int(fitting[a].sum()) - 1))
    return space.repaired([*types, a, b])


def _params(space: Space, code: Code) -> dict[str, Any]:
    """The inverse of ``_code``."""
    fitting, (a, b) = space.fits(code), code[-2:]
    shares = {"tensor": a / max(1, int(fitting[:, 0].sum()) - 1), "vector": b / max(1, int(fitting[a].sum()) - 1)}
    found: dict[str, Any] = {str(i): p for i, (p, n) in enumerate(zip(code, space.sizes[:-2], strict=False)) if n > 1}
    return found | {k: v for (k, v), n in zip(shares.items(), space.sizes[-2:], strict=True) if n > 1}
