"""URLs of a site that does not include those of the payment providers."""

urlpatterns = []
