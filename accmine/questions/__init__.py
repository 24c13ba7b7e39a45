"""What is asked of a study, one folder for each question."""
