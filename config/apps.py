from django.apps import AppConfig, apps
from django.contrib import admin
from django.core import checks
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Plugtill"

    def ready(self) -> None:
        from chargers.models import ChargingSession
        from config.checks import check_installation
        from config.desk import onboarding, outlets, story
        from config.roles import create_roles
        from config.words import translate_names
        from infrastructure import panels
        from infrastructure.models import EVSE, Charger, Location
        from roaming.models import RoamingPlatform

        translate_names()
        admin.site.index_title = _("Home")
        panels.register(ChargingSession, story.of_session, is_first=True)
        for model in (Location, Charger, EVSE):
            panels.register(model, outlets.of_place, is_first=True)
        panels.register(RoamingPlatform, onboarding.of_platform)
        checks.register(check_installation)
        # Of all apps the last: by then the others have their permissions.
        post_migrate.connect(create_roles, sender=list(apps.get_app_configs())[-1])
