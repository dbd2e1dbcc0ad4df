"""Mounted at /ocpi/. Trailing and doubled slashes are taken care of by `roaming.middleware`."""

from django.urls import path

from roaming.views import (
    cdrs,
    charging_profiles,
    commands,
    credentials,
    hubclientinfo,
    locations,
    sessions,
    tariffs,
    tokens,
    versions,
)

urlpatterns = [
    path("versions", versions.VersionsView.as_view()),
    path("2.2.1", versions.VersionDetailsView.as_view()),
    path("2.2.1/credentials", credentials.CredentialsView.as_view()),
    path("2.2.1/locations", locations.LocationListView.as_view()),
    path("2.2.1/locations/<str:location_id>", locations.LocationView.as_view()),
    path("2.2.1/locations/<str:location_id>/<str:evse_uid>", locations.LocationView.as_view()),
    path(
        "2.2.1/locations/<str:location_id>/<str:evse_uid>/<str:connector_id>",
        locations.LocationView.as_view(),
    ),
    path("2.2.1/tariffs", tariffs.TariffListView.as_view()),
    path("2.2.1/tariffs/<str:object_id>", tariffs.TariffView.as_view()),
    path(
        "2.2.1/tariffs/<str:country_code>/<str:party_id>/<str:object_id>",
        tariffs.PartyTariffView.as_view(),
    ),
    path("2.2.1/sessions", sessions.SessionListView.as_view()),
    path("2.2.1/sessions/<str:object_id>", sessions.SessionView.as_view()),
    path("2.2.1/sessions/<str:object_id>/charging_preferences", sessions.ChargingPreferencesView.as_view()),
    path("2.2.1/cdrs", cdrs.CdrListView.as_view()),
    path("2.2.1/cdrs/<str:object_id>", cdrs.CdrView.as_view()),
    path("2.2.1/commands/<str:command>", commands.CommandView.as_view()),
    path("2.2.1/chargingprofiles/<str:session_id>", charging_profiles.ChargingProfileView.as_view()),
    # A uid may contain a slash: percent-encoded it arrives as one.
    path("2.2.1/tokens/<str:country_code>/<str:party_id>/<path:uid>", tokens.TokenView.as_view()),
    path("2.2.1/hubclientinfo/<str:country_code>/<str:party_id>", hubclientinfo.ClientInfoView.as_view()),
]
