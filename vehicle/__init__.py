"""The vehicle: cameras in, one verdict for each frame out, with or without a roadside unit."""
