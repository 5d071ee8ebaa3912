"""What sensors measure: rays against the meshes, motion, position, events of light."""
