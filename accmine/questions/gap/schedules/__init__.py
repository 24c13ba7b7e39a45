"""Solvers of operator schedules side by side: the problems of studies, measurements, records and tables."""
