"""The version: one that packages can have, and that of what is installed."""

from __future__ import annotations

from importlib.metadata import version

from packaging.version import Version

import accmine
from accmine.version import __version__


def test_it_is_a_release_as_packages_write_it() -> None:
    parsed = Version(__version__)
    assert str(parsed) == __version__
    assert len(parsed.release) == 3
    assert not parsed.local


def test_it_is_that_of_the_package_and_of_the_installation() -> None:
    assert accmine.__version__ == __version__ == version("accmine")
