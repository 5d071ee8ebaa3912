"""The simulated world, its radio, the launcher and the scores; talks to the stack through sockets."""
