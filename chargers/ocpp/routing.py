from django.urls import path

from chargers.ocpp.consumer import OcppConsumer

websocket_urlpatterns = [path("ocpp/<path:identity>", OcppConsumer.as_asgi())]
