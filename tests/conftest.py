"""What every test session does first.

Property tests draw the same examples every time, so that what fails is due to what changed; with the environment
variable HYPOTHESIS_PROFILE=random they look for others.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from accmine.cost import gemm

os.environ.pop("COLUMNS", None)  # of workers of pytest-xdist: what is captured is no terminal

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session", autouse=True)
def compiled_search() -> None:
    """Compile the search for tiles, or load it: no single test has that in its time."""
    gemm(1, 1, 1, (1, 1), sram_bytes=64)
