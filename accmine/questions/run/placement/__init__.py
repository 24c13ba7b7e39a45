"""A run whose placement is decided with the design: its flow, outcome and report."""
