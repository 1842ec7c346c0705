"""What is kept of an entry, by slice: file to what it is, figure to what it shows."""
