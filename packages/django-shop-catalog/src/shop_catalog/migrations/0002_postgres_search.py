"""Extension and indexes that search needs on PostgreSQL. Nothing happens on other databases."""

from django.db import migrations

STATEMENTS = (
    (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        # Others may use the extension: it stays.
        "SELECT 1",
    ),
    (
        "CREATE INDEX shop_catalog_search_words ON shop_catalog_product USING gin (to_tsvector('simple', search_text))"
        " WHERE parent_id IS NULL",
        "DROP INDEX IF EXISTS shop_catalog_search_words",
    ),
    (
        "CREATE INDEX shop_catalog_search_trigrams ON shop_catalog_product USING gin (search_text gin_trgm_ops)"
        " WHERE parent_id IS NULL",
        "DROP INDEX IF EXISTS shop_catalog_search_trigrams",
    ),
)


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement, _undo in STATEMENTS:
            schema_editor.execute(statement)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for _statement, undo in reversed(STATEMENTS):
            schema_editor.execute(undo)


class Migration(migrations.Migration):
    dependencies = [("shop_catalog", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
