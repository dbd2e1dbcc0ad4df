"""Whether a platform takes what we send, on its page and in the list, with the action beside it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from unfold.decorators import action

from infrastructure.admin_display import display
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

    @display(description="delivery", label=COLOURS)
    def delivery(self, platform: RoamingPlatform) -> str | None:
        circuit = circuit_of(platform)
        if not platform.is_registered:
            return None
        if circuit is None or not circuit.failures:
            return "reachable"
        if circuit.opened_at:
            return "stopped"
        return "waiting" if circuit.probe_at else "failing"

    @display(description="in words")
    def delivery_in_words(self, platform: RoamingPlatform) -> str:
        circuit = circuit_of(platform)
        if circuit is None or not circuit.failures:
            return "Messages go out at once."
        times = "once" if circuit.failures == 1 else f"{circuit.failures} times in a row"
        said = f"It failed {times}, last: {circuit.last_error}"
        if circuit.probe_at is None:
            return said
        at = localize(timezone.localtime(circuit.probe_at))
        when = f"The next attempt is at {at}; nothing is sent before. “Try now” does it at once."
        return f"{when} {said}"

    @action(description="Try now", url_path="try-now", icon="bolt", permissions=[PERMISSION])
    def try_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A GET only asks: links may be followed by machines."""
        platform = self._platform(request, object_id)
        if request.method != "POST":
            explanation = (
                "After several failures in a row we leave a partner alone and try again now and then. This tries at "
                "once; if the partner answers, all that waits goes out."
            )
            page: HttpResponse = self._page(request, platform, "Try now", {"explanation": explanation})  # type: ignore[attr-defined]
            return page
        if push.try_now(platform):
            messages.success(request, "It is tried now; reload this page to see how it went.")
        else:
            messages.info(request, "Nothing is held back for this partner: messages go out at once.")
        return HttpResponseRedirect(reverse("admin:roaming_roamingplatform_change", args=[platform.pk]))
