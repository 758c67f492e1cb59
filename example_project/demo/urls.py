from django.urls import path

from demo import views

app_name = "demo"
urlpatterns = [
    path("inbox/", views.inbox, name="inbox"),
    path("inbox/mail/<int:number>/", views.mail, name="mail"),
    path("inbox/fail-next-sms/", views.fail_next_sms, name="fail_next_sms"),
]
