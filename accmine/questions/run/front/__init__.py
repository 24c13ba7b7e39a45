"""A run of two objectives: its flow, outcome and report."""
