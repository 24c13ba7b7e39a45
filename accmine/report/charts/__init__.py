"""Pictures: rooflines, schedules, gaps."""
