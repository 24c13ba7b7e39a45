"""A run of a study of a sparse dataflow accelerator: its problem, its parts, its outcome, and how that is shown."""
