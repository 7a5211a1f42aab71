"""The commands of `vo`, a module each with `add_options` and `run`; none loads what only another needs."""
