import json
import os
import sys
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from tariffs.pricing import PricingError
from tariffs.pricing.report import read_json, report, report_line


class Command(BaseCommand):
    help = "Prices OCPI 2.2.1 CDRs, as JSON: one under a tariff, or a batch with one line for each."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tariff", metavar="FILE", help="OCPI tariff")
        parser.add_argument("--cdr", metavar="FILE", help="OCPI CDR")
        parser.add_argument("--time-zone", metavar="ZONE", help="of the location, for example Europe/Vienna")
        parser.add_argument(
            "--batch",
            metavar="FILE",
            help='one JSON object per line ("-": standard input) with cdr, time_zone and either tariff or details; '
            "a line that cannot be priced becomes a line with error",
        )

    def handle(self, *args: Any, tariff: str, cdr: str, time_zone: str, batch: str, **options: Any) -> None:
        single = {"--tariff": tariff, "--cdr": cdr, "--time-zone": time_zone}
        missing = [name for name, value in single.items() if not value]
        if batch and len(missing) == len(single):
            with _opened(batch) as lines:
                self._price_batch(lines)
        elif batch:
            raise CommandError("Give either --batch, or --tariff, --cdr and --time-zone.")
        elif missing:
            raise CommandError(f"{', '.join(missing)}: missing. Give --tariff, --cdr and --time-zone, or --batch.")
        else:
            self._price_one(tariff, cdr, time_zone)

    def _price_one(self, tariff: str, cdr: str, time_zone: str) -> None:
        try:
            priced = report(_read(tariff, "tariff"), _read(cdr, "cdr"), time_zone)
        except PricingError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(priced, indent=2))

    def _price_batch(self, lines: BinaryIO) -> None:
        """Each answer leaves before the next line is read, so that a program can ask line by line."""
        try:
            for line in lines:
                self.stdout.write(json.dumps(report_line(line)))
                self.stdout.flush()
        except BrokenPipeError:
            # The reader has seen enough, for example `head`; what is left in the buffer has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(name, "rb")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None


def _read(name: str, field: str) -> Any:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    return read_json(content, field)
