import json
from typing import Any

from django.core.management.base import BaseCommand

from config.demo import data


class Command(BaseCommand):
    help = (
        "Fills an empty database with the demo's operator, areas, chargers, tariffs and payment terminal provider, "
        "and prints the secrets that the simulators need as JSON."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        demo = data.create()
        self.stdout.write(
            json.dumps(
                {
                    "admin": {"user": data.ADMIN_USER, "password": data.ADMIN_PASSWORD},
                    "registration_token": demo.registration_token,
                    "chargers": [
                        {
                            "identity": entry.charger.identity,
                            "password": entry.password,
                            "evses": entry.evses,
                            "power_kw": entry.power_kw,
                        }
                        for entry in demo.chargers
                    ],
                }
            )
        )
