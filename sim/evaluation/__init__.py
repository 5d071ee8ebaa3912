"""Scores of a drive: joins verdicts with ground truth."""
