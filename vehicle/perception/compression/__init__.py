"""Makes a trained detector cheaper and shows what that costs: int8, pruning, distillation."""
