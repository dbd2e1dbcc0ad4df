"""What templates of the admin ask of the desk."""

from typing import Any

from django import template

from config.desk.empty import Empty, empty_list
from infrastructure.admin_display import moment, sentence

register = template.Library()


# With the zone as their argument, or none: the site's.
register.filter("said", sentence)
register.filter("moment", moment)


@register.simple_tag(name="empty_list")
def of_list(opts: Any) -> Empty:
    """What a list says that has no rows."""
    return empty_list(opts.label)
