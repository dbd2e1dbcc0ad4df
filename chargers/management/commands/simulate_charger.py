from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chargers.simulator.run import run
from chargers.simulator.settings import add_arguments, from_options


class Command(BaseCommand):
    help = "Simulates an OCPP 1.6J or 2.0.1 charge point, as a process of its own"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        run(from_options(options))
