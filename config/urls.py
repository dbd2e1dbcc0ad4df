from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.desk.search import find
from config.health import healthz, readyz
from config.metrics import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}config/favicon.svg")),
    path("", RedirectView.as_view(url="/admin/"), name="root"),
    path("admin/i18n/", include("django.conf.urls.i18n")),
    path("admin/find/", admin.site.admin_view(find), name="find"),
    path("admin/", admin.site.urls),
    path("ocpi/", include("roaming.urls")),
    path("api/v1/", include("chargers.api.urls")),
    path("", include("payments.urls")),
]
