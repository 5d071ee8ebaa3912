"""Driving data: recording and its index."""
