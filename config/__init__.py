"""Plugtill as a whole: settings, URLs, servers and background workers."""

# Every process that loads Django must know the Celery app, or wake-ups would go to Celery's default broker.
from config.celery import app as celery_app

__all__ = ["celery_app"]
