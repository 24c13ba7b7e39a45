"""What a little more of a limit buys."""
