"""The shared kernel: what decides where a frame is computed, and the words all processes speak.

Deciding modules take the time as an argument and open nothing; driving modules (transport,
security, clock, telemetry) own sockets, keys and clocks.
"""
