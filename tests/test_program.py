"""The program, before its command line listens."""

from __future__ import annotations

import subprocess
import sys

BEFORE = """
import sys

class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == "accmine.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Pressed())
from accmine.program import main
main()
"""


def test_an_interrupt_while_it_is_loaded_ends_it_as_any_other_does() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", BEFORE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_it_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "accmine", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("accmine ")
