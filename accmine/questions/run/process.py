"""Which process computes a run, and whether it lives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["alive", "process"]


def process(pid: int) -> dict[str, Any]:
    """What tells a process from others, also of another boot; without what the system does not tell."""
    found: dict[str, Any] = {"pid": pid}
    with suppress(OSError, IndexError):
        found["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Field 22, the start in ticks since boot; the name before it may hold spaces.
        found["ticks"] = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return found


def alive(recorded: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a state is there; those of older versions, without one, are taken for ended."""
    pid = recorded.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # the second: no number of a process
        return False
    except PermissionError:
        pass  # somebody else's, but there
    return all(recorded.get(key) == value for key, value in process(pid).items())
