"""Features of tokens, and the neurons that respond to them."""
