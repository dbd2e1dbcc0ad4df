from django.urls import path

from chargers.ocpp.consumer import OcppConsumer

websocket_urlpatterns = [path("ocpp/<str:identity>", OcppConsumer.as_asgi())]
