"""A page of Wagtail that is sold. Its own stock column shows what revisions do; the stock is in a table of its own."""

from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.models import Page


class LoafPage(Page):
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    picture = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    content_panels = [*Page.content_panels, FieldPanel("price"), FieldPanel("picture")]
    parent_page_types = ["wagtailcore.Page"]


class LoafStock(models.Model):
    """No form or revision of the page writes it back."""

    page = models.OneToOneField(LoafPage, primary_key=True, on_delete=models.CASCADE, related_name="shelf")
    units = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.units} of {self.page}"
