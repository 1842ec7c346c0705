"""The config: files to frozen entries, checked. It knows no study; it is handed them."""
