"""Problem files: solving them, and checking solutions from anywhere."""
