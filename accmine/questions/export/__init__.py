"""Export: the answer of a run in the formats of other tools, and what they say of it.

``operators`` reads a run and finds the operators that matter; ``scalesim``, ``zigzag`` and ``calculon`` write one
tool's files and compare its figures with accmine's; ``folder`` puts the files on disk. The tools are optional:
nothing of them is imported before ``--verify`` asks for it.
"""
