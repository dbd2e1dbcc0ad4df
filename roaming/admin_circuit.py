"""Whether a platform takes what we send, on its page and in the list, with the action beside it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from infrastructure.admin_display import display, moment
from infrastructure.sentences import said
from roaming.admin_actions import PERMISSION
from roaming.models import Circuit, RoamingPlatform
from roaming.services import push

COLOURS = {"reachable": "success", "failing": "warning", "waiting": "warning", "stopped": "danger"}


def circuit_of(platform: RoamingPlatform) -> Circuit | None:
    circuit: Circuit | None = getattr(platform, "circuit", None)
    return circuit


class CircuitActions:
    """Mixin of the platform's admin."""

    _platform: Any

    @display(description=_("delivery"), label=COLOURS)
    def delivery(self, platform: RoamingPlatform) -> tuple[str, str] | None:
        circuit = circuit_of(platform)
        if not platform.is_registered:
            return None
        if circuit is None or not circuit.failures:
            return "reachable", gettext("reachable")
        if circuit.opened_at:
            return "stopped", gettext("stopped")
        return ("waiting", gettext("waiting")) if circuit.probe_at else ("failing", gettext("failing"))

    @display(description=_("in words"))
    def delivery_in_words(self, platform: RoamingPlatform) -> str:
        circuit = circuit_of(platform)
        if circuit is None or not circuit.failures:
            return gettext("Messages go out at once.")
        text = ngettext(
            "It failed once, last: %(error)s", "It failed %(times)d times in a row, last: %(error)s", circuit.failures
        ) % {"times": circuit.failures, "error": said(circuit.last_error)}
        if circuit.probe_at is None:
            return text
        when = gettext("The next attempt is at {}; nothing is sent before. “Try now” does it at once.")
        return format_html("{} {}", format_html(when, moment(circuit.probe_at)), text)

    @action(description=_("Try now"), url_path="try-now", icon="bolt", permissions=[PERMISSION])
    def try_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A GET only asks: links may be followed by machines."""
        platform = self._platform(request, object_id)
        if request.method != "POST":
            explanation = gettext(
                "After several failures in a row we leave a partner alone and try again now and then. This tries at "
                "once; if the partner answers, all that waits goes out."
            )
            page: HttpResponse = self._page(request, platform, gettext("Try now"), {"explanation": explanation})  # type: ignore[attr-defined]
            return page
        if push.try_now(platform):
            messages.success(request, _("It is tried now; reload this page to see how it went."))
        else:
            messages.info(request, _("Nothing is held back for this partner: messages go out at once."))
        return HttpResponseRedirect(reverse("admin:roaming_roamingplatform_change", args=[platform.pk]))
