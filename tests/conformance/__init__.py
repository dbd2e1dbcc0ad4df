"""The OCPI 2.2.1 conformance suite: every statement of `statements.py`, played over HTTP against a running Plugtill."""
