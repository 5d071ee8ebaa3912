"""One placement policy a file."""
