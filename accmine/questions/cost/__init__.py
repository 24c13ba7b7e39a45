"""What every operator of a step costs a design."""
