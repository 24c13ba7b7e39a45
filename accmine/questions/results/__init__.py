"""What all runs found, as one table."""
