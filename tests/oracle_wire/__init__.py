"""A test double of an Oracle server: enough of its wire protocol for the unmodified python-oracledb driver.

It was written from the client's side (the published sources of python-oracledb, UPL/Apache 2.0): it proves
what the driver and the code above it do with such answers, not that a real Oracle gives these answers. It
speaks as a 19c server does, without the flag that ends a response, or as a 23ai server, with it. It parses no
SQL; a `Backend` answers: rows that a test wrote, or H2 (`h2.py`).
"""
