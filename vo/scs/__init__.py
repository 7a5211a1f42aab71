"""Simple Cone Search 1.03 (REC, 2008-02-22, with its errata) of every table with positions."""
