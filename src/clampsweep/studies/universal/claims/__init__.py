"""What the tables of a slice say of its claims, with the controls of each."""
