"""Universal neurons: statistics that are claimed of neurons, and whether they generalise."""
