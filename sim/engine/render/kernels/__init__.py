"""The compiled inner loops of the renderer; they compile when the first picture is drawn."""
