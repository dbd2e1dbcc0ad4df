"""The connection of a platform in admin: each action explains itself, asks, and then tells what happened."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from infrastructure import access, acts
from roaming.models import RoamingPlatform
from roaming.services import credentials, tokens

PERMISSION = "roaming.change_roamingplatform"


class ConnectionActions:
    """Mixin of the platform's admin. A GET only asks: links may be followed by machines."""

    actions_detail: list[Any] = [
        {
            "title": _("Connection"),
            "icon": "link",
            "items": ["register", "update", "invalidate", "generate_token"],
        }
    ]
    admin_site: Any
    get_object: Callable[..., Any]

    @action(description=_("Register credentials"), url_path="register", permissions=[PERMISSION])
    def register(self, request: HttpRequest, object_id: str) -> HttpResponse:
        explanation = gettext(
            "We call the partner's versions URL with the token that it gave us, make it a token of ours and "
            "exchange credentials. Afterwards areas and tariffs are sent to it."
        )
        return self._handshake(request, object_id, gettext("Register credentials"), explanation, credentials.register)

    @action(description=_("Update credentials"), url_path="update", permissions=[PERMISSION])
    def update(self, request: HttpRequest, object_id: str) -> HttpResponse:
        explanation = gettext(
            "Both sides get new tokens, and each reads again what the other offers. "
            "Charging sessions go on undisturbed."
        )
        return self._handshake(request, object_id, gettext("Update credentials"), explanation, credentials.update)

    @action(description=_("Invalidate credentials"), url_path="invalidate", permissions=[PERMISSION])
    def invalidate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        explanation = gettext(
            "Ends the connection: the partner can no longer see our areas, start sessions or get their CDRs. "
            "To connect again, a new token must be handed over."
        )
        return self._handshake(
            request, object_id, gettext("Invalidate credentials"), explanation, credentials.invalidate
        )

    @action(description=_("Generate token"), url_path="generate-token", permissions=[PERMISSION])
    def generate_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        platform = self._platform(request, object_id)
        context: dict[str, Any] = {
            "explanation": gettext(
                "Makes the token with which the partner registers at ours. One made before and not "
                "yet used becomes invalid."
            )
        }
        if request.method == "POST":
            try:
                context["token"] = tokens.generate_registration_token(platform)
                context["versions_url"] = f"{settings.PUBLIC_URL}/ocpi/versions"
                acts.tell(request, gettext("A token was made."))
            except tokens.TokenRefused as error:
                context["error"] = str(error)
                acts.tell(request, str(error))
        return self._page(request, platform, gettext("Generate token"), context)

    def _handshake(
        self,
        request: HttpRequest,
        object_id: str,
        title: str,
        explanation: str,
        run: Callable[[RoamingPlatform], credentials.Report],
    ) -> HttpResponse:
        platform = self._platform(request, object_id)
        context: dict[str, Any] = {"explanation": explanation}
        if request.method == "POST":
            report = context["report"] = run(platform)
            acts.tell(request, report.error or report.steps[-1].text)
        return self._page(request, platform, title, context)

    def _platform(self, request: HttpRequest, object_id: str) -> RoamingPlatform:
        """Raises Http404, and PermissionDenied where the connection is also that of operators of others."""
        platform: RoamingPlatform | None = self.get_object(request, object_id)
        if platform is None:
            raise Http404
        if not access.is_theirs(platform, request.user):
            raise PermissionDenied(_("This partner also serves operators that you do not work for."))
        return platform

    def _page(
        self, request: HttpRequest, platform: RoamingPlatform, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "roaming/connection_action.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{platform}: {title}",
                "button": title,
                "platform": platform,
                "back_url": reverse("admin:roaming_roamingplatform_change", args=[platform.pk]),
                **context,
            },
        )
