"""The time zones in which tariffs are read: those of the site and of its areas."""

from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from infrastructure.models import Location, Site


def zones_of(areas: QuerySet[Location]) -> list[str]:
    """The site's zone first, then the other zones of these areas by name, in two queries."""
    site = Site.objects.first()
    own = site.time_zone if site else "UTC"
    rows = areas.order_by().values_list("time_zone", "operator__time_zone", "operator__site__time_zone").distinct()
    found = {area or operator or of_site for area, operator, of_site in rows}
    return [own, *sorted(found - {own})]


def chosen_zone(name: str, zones: list[str]) -> ZoneInfo:
    """The zone of that name if it is one of `zones`, else the first of them."""
    return ZoneInfo(name if name in zones else zones[0])
