"""The pinned solvers live in one process: ortools is imported, and HiGHS solves a Pyomo model."""

from __future__ import annotations

import subprocess
import sys

import pytest

_ORTOOLS = """
from ortools.sat.python import cp_model
model = cp_model.CpModel()
x = model.new_int_var(0, 10, "x")
model.add(2 * x <= 7)
model.maximize(x)
solver = cp_model.CpSolver()
solver.parameters.catch_sigint_signal = False
assert solver.solve(model) == cp_model.OPTIMAL and solver.value(x) == 3
"""

_PYOMO = """
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
m = pyo.ConcreteModel()
m.x = pyo.Var(domain=pyo.NonNegativeIntegers)
m.limit = pyo.Constraint(expr=2 * m.x <= 7)
m.value = pyo.Objective(expr=m.x, sense=pyo.maximize)
results = SolverFactory("highs").solve(m)
assert round(pyo.value(m.x)) == 3, pyo.value(m.x)
"""


@pytest.mark.parametrize("script", [_ORTOOLS + _PYOMO, _PYOMO + _ORTOOLS], ids=["ortools-first", "highs-first"])
def test_ortools_and_highs_share_a_process(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
