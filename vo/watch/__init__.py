"""New rows scored as they come: a stream of Redis in, a stream of anomalies out, to browsers as events."""
