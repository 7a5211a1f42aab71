"""Regions of the sphere: what is in them, what they meet, how large they are; exact to a nano-arcsecond."""
