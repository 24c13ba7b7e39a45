"""How often the chosen design stays near the best when constants move in their bands."""
