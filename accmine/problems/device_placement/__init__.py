"""Device placement: layers on stages, tensor groups and replicas of one kind of device."""
