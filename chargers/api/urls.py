from django.http import HttpRequest, JsonResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from chargers.api.views.charge_points import AreaViewSet, CallViewSet, ChargePointViewSet
from chargers.api.views.lists import ChargingProfileViewSet, IdTokenViewSet
from chargers.api.views.transactions import MessageViewSet, ReservationViewSet, TransactionViewSet

app_name = "api"

router = SimpleRouter(trailing_slash=False)
router.register("areas", AreaViewSet, basename="areas")
router.register("charge-points", ChargePointViewSet, basename="charge-points")
router.register("calls", CallViewSet, basename="calls")
router.register("transactions", TransactionViewSet, basename="transactions")
router.register("reservations", ReservationViewSet, basename="reservations")
router.register("charging-profiles", ChargingProfileViewSet, basename="charging-profiles")
router.register("id-tokens", IdTokenViewSet, basename="id-tokens")
router.register("messages", MessageViewSet, basename="messages")


@csrf_exempt
def nothing_here(request: HttpRequest) -> JsonResponse:
    """Programs read JSON, not a page."""
    return JsonResponse({"detail": "There is nothing at this address."}, status=404)


urlpatterns = [
    path("schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    *router.urls,
    re_path("", nothing_here),
]
