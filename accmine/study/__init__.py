"""What a user asks: the keys of a study, and the values they take."""
