"""python -m payments.simulator: the same as manage.py simulate_ptp, without loading Django."""

import sys
from argparse import ArgumentParser

from payments.simulator.run import main
from payments.simulator.settings import add_arguments

if __name__ == "__main__":
    parser = ArgumentParser(
        prog="python -m payments.simulator",
        description="A simulated payment terminal provider (OCPI 2.2.1 with DirectPayment).",
    )
    add_arguments(parser)
    sys.exit(main(vars(parser.parse_args())))
