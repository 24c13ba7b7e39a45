"""One driver each for CP-SAT and HiGHS, for every declared model."""
