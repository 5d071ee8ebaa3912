"""Records training sets from a world."""
