"""Trains the detector family on recorded pictures: `python -m vehicle.perception.training`."""
