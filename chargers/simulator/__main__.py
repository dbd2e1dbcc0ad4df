"""python -m chargers.simulator: the same as manage.py simulate_charger, without loading Django."""

from argparse import ArgumentParser

from chargers.simulator.run import run
from chargers.simulator.settings import add_arguments, from_options


def main() -> None:
    parser = ArgumentParser(prog="python -m chargers.simulator", description="A simulated OCPP 1.6J or 2.0.1 charger.")
    add_arguments(parser)
    run(from_options(vars(parser.parse_args())))


if __name__ == "__main__":
    main()
