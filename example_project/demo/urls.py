from django.urls import path

from demo import views

app_name = "demo"
urlpatterns = [
    path("inbox/", views.inbox, name="inbox"),
    path("inbox/mail/<int:number>/", views.mail, name="mail"),
    path("inbox/handset/<int:number>/", views.answer_request, name="answer_request"),
    path("inbox/pay-by-hand/", views.pay_by_hand, name="pay_by_hand"),
    path("inbox/fail-next-sms/", views.fail_next_sms, name="fail_next_sms"),
]
