"""Radio channel models: from poses to rate, delay and loss."""
