"""How far the model is from simulators and silicon, and its calibration."""
