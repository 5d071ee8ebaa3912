"""CARLA 0.9.16's RPC and streaming protocol over the embedded world: a skin, no physics here."""
