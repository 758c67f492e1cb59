"""WhatsApp as a notifier of django-shop-notify, by Meta's WhatsApp Cloud API."""

from shop_notify_whatsapp.notifier import WhatsAppCloudNotifier

__all__ = ["WhatsAppCloudNotifier"]
