"""UWS 1.1: the one lifecycle of everything that runs."""
