"""Anomaly detection: extended isolation forests on selections of objects, as jobs that workers share."""
