"""Training steps on many devices against measured ones: predictor, suites, ablation and stacks."""
