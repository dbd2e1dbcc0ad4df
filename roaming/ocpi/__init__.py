"""The OCPI protocol itself: formats, transport and rules. No ORM, no domain."""
