"""Radio channels: what a link between a vehicle and a roadside unit can carry, and when."""
