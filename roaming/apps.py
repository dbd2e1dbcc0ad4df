from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RoamingConfig(AppConfig):
    name = "roaming"
    verbose_name = _("Roaming")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chargers.models import ChargerMessage, OutgoingCall
        from infrastructure import panels, sentences
        from infrastructure.models import EVSE, Charger, Connector, Location
        from infrastructure.services import masterdata
        from roaming import panels as own_panels
        from roaming import price_panels
        from roaming.choices import InterfaceRole, Module, PlatformType
        from roaming.models import Message, RoamingPlatform, RoamingProfile
        from roaming.sentences import SENTENCES
        from roaming.services import assignments, driver_tokens, hub, place_checks, prefixes, profile_results, senders
        from roaming.services.registry import Endpoint, registry
        from tariffs.models import RoamingTariff, SessionSettings
        from tariffs.services import validation

        registry.endpoints += [
            Endpoint(Module.CREDENTIALS, InterfaceRole.SENDER),
            Endpoint(Module.LOCATIONS, InterfaceRole.SENDER),
            Endpoint(Module.TARIFFS, InterfaceRole.SENDER),
            Endpoint(Module.SESSIONS, InterfaceRole.SENDER),
            Endpoint(Module.CDRS, InterfaceRole.SENDER),
            Endpoint(Module.COMMANDS, InterfaceRole.RECEIVER),
            Endpoint(Module.CHARGINGPROFILES, InterfaceRole.RECEIVER),
            Endpoint(Module.TOKENS, InterfaceRole.RECEIVER),
            Endpoint(Module.HUBCLIENTINFO, InterfaceRole.RECEIVER, frozenset({PlatformType.HUB})),
        ]
        documents = (Module.LOCATIONS, Module.TARIFFS, Module.SESSIONS, Module.CDRS)
        registry.senders |= dict.fromkeys(documents, senders.DOCUMENTS)
        registry.senders[Module.COMMANDS] = senders.COMMAND_RESULTS
        registry.senders[Module.CHARGINGPROFILES] = profile_results.PROFILES
        # Whose tokens a hub may list is known from its parties.
        registry.add_pull_source(hub.CLIENTS)
        registry.add_pull_source(driver_tokens.TOKENS)
        masterdata.on_check(RoamingPlatform, prefixes.check_prefix)
        masterdata.on_change(RoamingPlatform, assignments.platform_changed)
        masterdata.on_change(RoamingProfile, assignments.profile_changed)
        masterdata.on_delete_check(RoamingPlatform, assignments.check_deletion)
        masterdata.on_deleted(RoamingProfile, assignments.profile_deleted)
        masterdata.on_check(Location, place_checks.check_location)
        masterdata.on_check(EVSE, place_checks.check_evse)
        masterdata.on_check(RoamingTariff, assignments.check_tariff)
        masterdata.on_change(RoamingTariff, assignments.tariff_changed)
        masterdata.on_change(SessionSettings, assignments.settings_changed)
        validation.on_assignment_check(assignments.check_settings)
        sentences.know(SENTENCES)
        panels.register(Location, own_panels.of_location)
        panels.register(Charger, own_panels.of_charger)
        for model in (Message, OutgoingCall, ChargerMessage):
            panels.register(model, own_panels.of_correlated)
        panels.register(Connector, price_panels.of_connector)
        panels.register(RoamingTariff, price_panels.of_tariff)
