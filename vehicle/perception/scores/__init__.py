"""How good an answer was, in plain numpy, written once for training, evaluation and studies."""
