"""Studies of a sparse dataflow accelerator over several devices in a row."""
