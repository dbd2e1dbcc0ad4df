"""A simulated OCPP 1.6J charge point: a process of its own, without Django and without a database."""
