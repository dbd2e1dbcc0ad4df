import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from payments.simulator.run import main
from payments.simulator.settings import add_arguments


class Command(BaseCommand):
    help = "Simulates a payment terminal provider (OCPI 2.2.1 with DirectPayment), as a process of its own"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(main(options))
