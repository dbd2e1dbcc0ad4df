from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from infrastructure.models import Charger


class ChargerVariable(models.Model):
    """A setting or reading of a charger as it told it last.

    OCPP 2.0.1 names it by component and variable; a configuration key of OCPP 1.6 is a variable without component.
    """

    charger = models.ForeignKey(Charger, on_delete=models.CASCADE, related_name="variables")
    component = models.CharField(max_length=50, blank=True)
    component_instance = models.CharField(max_length=50, blank=True)
    # 0: none. Not null: nulls would not be equal to each other in the constraint.
    evse_number = models.PositiveIntegerField("EVSE number", default=0)
    connector_number = models.PositiveIntegerField(default=0)
    variable = models.CharField(max_length=50)
    variable_instance = models.CharField(max_length=50, blank=True)
    attribute = models.CharField(max_length=9, default="Actual", help_text=_("Actual, Target, MinSet or MaxSet."))
    value = models.TextField(blank=True)
    is_known = models.BooleanField(
        default=True, help_text=_("No: the charger has no value, keeps it secret, or does not know the variable.")
    )
    is_readonly = models.BooleanField("read only", default=False)
    needs_reboot = models.BooleanField(
        default=False, help_text=_("The value was changed and counts after the next reboot of the charger.")
    )
    characteristics = models.JSONField(
        default=dict, help_text=_("OCPP 2.0.1: data type, unit, limits, list of values.")
    )
    read_at = models.DateTimeField(default=timezone.now)

    operator_path = "charger__location__operator"

    class Meta:
        verbose_name = _("charger variable")
        ordering = ["component", "component_instance", "evse_number", "variable", "variable_instance", "attribute"]
        constraints = [
            models.UniqueConstraint(
                "charger",
                "component",
                "component_instance",
                "evse_number",
                "connector_number",
                "variable",
                "variable_instance",
                "attribute",
                name="charger_variable_unique",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """For example AlignedDataCtrlr.Interval, EVSE[1/1].Power#MaxSet or, of OCPP 1.6, HeartbeatInterval."""
        evse = "/".join(str(number) for number in (self.evse_number, self.connector_number) if number)
        component = _with_instance(self.component, self.component_instance) + (f"[{evse}]" if evse else "")
        variable = _with_instance(self.variable, self.variable_instance)
        attribute = "" if self.attribute == "Actual" else f"#{self.attribute}"
        return f"{component}.{variable}{attribute}" if component else f"{variable}{attribute}"


def _with_instance(name: str, instance: str) -> str:
    return f"{name}:{instance}" if instance else name
