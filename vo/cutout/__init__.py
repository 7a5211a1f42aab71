"""Cutouts as people ask for them: one by a URL, thousands by a table of positions."""
