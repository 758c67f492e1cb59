"""What search needs beside its models: indexes on PostgreSQL, a full-text table on SQLite."""

from django.db import migrations

SEARCH_WORDS = r"""
CREATE FUNCTION shop_catalog_search_words(search_text text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100
AS $$
BEGIN
    RETURN array_to_tsvector(array_remove(string_to_array(split_part(search_text, E'\n', 2), ' '), ''));
END
$$
"""
"""The second line of a product's search text as words.

It is in plpgsql and has a cost so that PostgreSQL looks words up in the index, and does not compute them row by row.
"""

SEARCH_SKUS = r"""
CREATE FUNCTION shop_catalog_search_skus(search_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100
AS $$
BEGIN
    RETURN split_part(search_text, E'\n', 1);
END
$$
"""
"""The first line of a product's search text: its SKUs."""

POSTGRESQL = (
    (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        # Not dropped: other apps may use the extension.
        "SELECT 1",
    ),
    (SEARCH_WORDS, "DROP FUNCTION IF EXISTS shop_catalog_search_words(text)"),
    (SEARCH_SKUS, "DROP FUNCTION IF EXISTS shop_catalog_search_skus(text)"),
    (
        "CREATE INDEX shop_catalog_search_by_word ON shop_catalog_product"
        " USING gin (shop_catalog_search_words(search_text))",
        "DROP INDEX IF EXISTS shop_catalog_search_by_word",
    ),
    (
        "CREATE INDEX shop_catalog_search_by_sku ON shop_catalog_product"
        " USING gin (shop_catalog_search_skus(search_text) gin_trgm_ops)",
        "DROP INDEX IF EXISTS shop_catalog_search_by_sku",
    ),
)

SQLITE = (
    (
        "CREATE VIRTUAL TABLE shop_catalog_search"
        """ USING fts5 (skus, words, tokenize = "trigram case_sensitive 1")""",
        "DROP TABLE IF EXISTS shop_catalog_search",
    ),
)
"""The rows have the keys of the products, and both lines of their search text. No trigger writes them: Django drops
triggers when it remakes a table."""

STATEMENTS = {"postgresql": POSTGRESQL, "sqlite": SQLITE}


def create(apps, schema_editor):
    for statement, _undo in STATEMENTS.get(schema_editor.connection.vendor, ()):
        schema_editor.execute(statement, params=None)


def drop(apps, schema_editor):
    for _statement, undo in reversed(STATEMENTS.get(schema_editor.connection.vendor, ())):
        schema_editor.execute(undo, params=None)


class Migration(migrations.Migration):
    dependencies = [("shop_catalog", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
