"""Driver behaviour of the databases we serve from."""
