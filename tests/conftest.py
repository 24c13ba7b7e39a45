"""What every test session does first."""

from __future__ import annotations

import pytest

from accmine.cost import gemm


@pytest.fixture(scope="session", autouse=True)
def compiled_search() -> None:
    """Compile the search for tiles, or load it: no single test has that in its time."""
    gemm(1, 1, 1, (1, 1), sram_bytes=64)
