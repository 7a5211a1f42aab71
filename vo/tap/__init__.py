"""TAP 1.1: queries in ADQL, and the documents that say what can be queried."""
