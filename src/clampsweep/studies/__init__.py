"""The studies: a folder each; none imports another."""
