"""The best design of a study, with its certificate and why it won."""
