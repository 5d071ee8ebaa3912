"""The drive in a terminal: a telemetry subscriber and nothing else."""
