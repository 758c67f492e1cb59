"""What the search of orders needs beside its models: on PostgreSQL, indexes of the parts of texts."""

from django.db import migrations

INDEXES = {
    "order": ("upper(number)", "upper(email)", "upper(contact_name)", "phone"),
    "customer": ("upper(first_name)", "upper(last_name)", "upper(email)", "phone"),
    "incomingpayment": ("upper(receipt)", "upper(account)", "upper(payer_name)", "payer_phone"),
}
"""The texts of each table, as ``icontains`` and ``contains`` compare them."""

PENDING = "WITH (gin_pending_list_limit = 1024)"
"""In kB. The order that fills the list of new texts writes all of them into the index, and waits. With PostgreSQL's 4 MB
it waited about twice as long. Each order costs the same."""


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm", params=None)
    for table, texts in INDEXES.items():
        columns = ", ".join(f"({text}) gin_trgm_ops" for text in texts)
        index = f"CREATE INDEX shop_orders_{table}_search ON shop_orders_{table} USING gin ({columns}) {PENDING}"
        schema_editor.execute(index, params=None)


def drop(apps, schema_editor):
    """The extension stays: other apps may use it."""
    if schema_editor.connection.vendor == "postgresql":
        for table in INDEXES:
            schema_editor.execute(f"DROP INDEX IF EXISTS shop_orders_{table}_search", params=None)


class Migration(migrations.Migration):
    dependencies = [("shop_orders", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
