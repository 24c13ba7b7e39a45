"""Parts of reading described architectures: the keys of their files, and the paths through their stages."""

from __future__ import annotations
