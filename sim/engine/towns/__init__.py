"""The towns of our own: street plans, and the generator that makes towns of them."""
