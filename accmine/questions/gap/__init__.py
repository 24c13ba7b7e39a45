"""How far a heuristic, a design or a solution is from the best."""
