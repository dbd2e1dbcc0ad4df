from django.apps import AppConfig


class InfrastructureConfig(AppConfig):
    name = "infrastructure"
    verbose_name = "Charging infrastructure"
    default_auto_field = "django.db.models.BigAutoField"
