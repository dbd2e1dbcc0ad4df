from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from infrastructure import panels, sentences
        from infrastructure.models import EVSE, Charger, Location
        from infrastructure.services import masterdata
        from payments import panels as own_panels
        from payments import panels_payment
        from payments.models import Invoice, Terminal
        from payments.sentences import SENTENCES
        from payments.services import drift, keeping, pulls, terminal_push
        from roaming.choices import InterfaceRole, Module, PlatformType
        from roaming.models import RoamingPlatform
        from roaming.services.registry import Endpoint, registry

        registry.endpoints.append(Endpoint(Module.PAYMENTS, InterfaceRole.RECEIVER, frozenset({PlatformType.PTP})))
        registry.senders[terminal_push.PUSH_MODULE] = terminal_push.ASSIGNMENTS
        registry.add_pull_source(pulls.TERMINALS)
        registry.add_pull_source(pulls.ADVICES)
        for model in (Location, Charger, EVSE):
            masterdata.on_deleted(model, drift.reassert_after_deletion)
        masterdata.on_delete_check(RoamingPlatform, keeping.check_platform_deletion)
        sentences.know(SENTENCES)
        panels.register(Terminal, panels_payment.of_terminal)
        panels.register(Terminal, own_panels.of_terminal)
        panels.register(Invoice, panels_payment.of_invoice)
        panels.register(Charger, own_panels.of_charger)
