"""A simulated payment terminal provider (PTP): OCPI 2.2.1 server and client in a process of its own.

An independent second implementation of the wire: it shares no code with Plugtill, so that mistakes show.
"""
