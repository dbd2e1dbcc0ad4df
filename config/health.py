from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Says that this process answers; it asks nothing of the database, whose outage no restart would heal."""
    return JsonResponse({"status": "ok"})
