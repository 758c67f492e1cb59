"""The pages below the prefix of a language, as i18n_patterns adds it."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from testproject.urls import urlpatterns as others

rest = [row for row in others if str(row.pattern) != "store/"]
pages = path("store/", include("shop_orders.contrib.pages.urls"))
urlpatterns = [*rest, *i18n_patterns(pages)]
below_a_namespace = [*rest, path("store/", include(([pages], "site")))]
below_a_parameter = [*rest, path("<slug:tenant>/", include([pages]))]
