"""``python -m accmine``."""

from accmine.cli import main

main()
