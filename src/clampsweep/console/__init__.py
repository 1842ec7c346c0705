"""What a run says to who started it, where Snakemake's own words would not help."""
