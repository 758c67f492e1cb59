from django.db import migrations, models


class Migration(migrations.Migration):
    """For the counts of the last hour, which health views and metrics read."""

    dependencies = [("shop_notify", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(fields=["finished_at"], name="shop_notify_attempt_finished"),
        ),
    ]
