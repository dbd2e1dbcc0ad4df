"""`manage.py demo`: an operator with areas, chargers and a payment terminal provider, all of it running."""
