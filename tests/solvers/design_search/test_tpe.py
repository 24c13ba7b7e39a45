"""TPE: every feasible design can be asked for, and a missing library is named."""

from __future__ import annotations

import sys

import optuna
import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.registry import make_solver
from accmine.solvers.design_search import tpe
from accmine.solvers.design_search.space import Space
from accmine.solving import solve
from tests.solvers.design_search.test_space import tiny


def test_parameters_and_codes_are_inverse() -> None:
    space = Space(tiny())
    axes = tpe._axes(optuna, space)
    for i in range(space.size):
        params = tpe._params(space, space.at(i))
        assert params.keys() == axes.keys()
        assert tpe._code(space, params) == space.at(i)


def test_what_optuna_prints_is_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    solve(tiny(), "tpe", stop=Stop(work=3))
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize(
    ("method", "module", "name"), [("tpe", "optuna", "optuna"), ("gp-features", "sklearn", "scikit-learn")]
)
def test_a_missing_library_is_named(method: str, module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for own in [key for key in sys.modules if key.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, own)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"{method} needs {name}; install it with: pip install 'accmine\[searches\]'"):
        make_solver("design-search", method)
