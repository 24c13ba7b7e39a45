"""What training adds to a forward graph: gradients, updates, memory."""
