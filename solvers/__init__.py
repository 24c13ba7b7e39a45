"""How it is decided: engines, and ways of scheduling, bounding, selecting and searching."""
