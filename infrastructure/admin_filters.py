"""List filters that several apps use."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.utils import parse_datetime_str


class TimeFilter(RangeDateTimeFilter):
    """Times in the zone of the page; a day without a time counts from its beginning, or to its end."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for edge, lookup, default in (("from", "gte", "00:00:00"), ("to", "lte", "23:59:59")):
            day, hour = (self.used_parameters.get(f"{self.parameter_name}_{edge}_{part}") for part in (0, 1))
            moment = parse_datetime_str(f"{day} {hour or default}") if day else None
            if moment is not None:
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": timezone.make_aware(moment)})
        return queryset
