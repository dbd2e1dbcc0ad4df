"""Telling people of alerts: digests by e-mail and webhook."""
