from django.apps import AppConfig
from django.core import checks


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Plugtill"

    def ready(self) -> None:
        from config.checks import check_installation

        checks.register(check_installation)
