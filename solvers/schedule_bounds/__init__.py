"""Lower bounds of operator schedules that need more than the problem's own."""
