"""Joins what the vehicle said with what was true: summary, CSV files, picture of a run folder."""
