from django.db.models import Model
from django.http import HttpRequest


def may_see(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the list of this model opens for this member of staff."""
    app, name = model._meta.app_label, model._meta.model_name
    return any(request.user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change"))
