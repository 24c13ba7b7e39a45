"""A package beside accmine: a solver and a reader of workloads."""
