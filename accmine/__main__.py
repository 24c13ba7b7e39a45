"""``python -m accmine``."""

from accmine.program import main

main()
