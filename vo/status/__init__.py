"""How the service is doing: a page and JSON for operators, metrics for Prometheus."""
