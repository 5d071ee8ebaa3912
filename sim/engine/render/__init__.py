"""Pictures of the embedded world on a CPU: procedural assets and a rasteriser, numpy and numba."""
