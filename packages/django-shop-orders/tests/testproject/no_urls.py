"""A site that has forgotten the payment providers."""

urlpatterns = []
