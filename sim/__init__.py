"""The simulated world, its radio, the launcher and the scores; reaches the stack by sockets."""
