"""One module per optimisation problem: ``Problem``, ``Solution``, their JSON forms, ``check`` and ``objective``."""
