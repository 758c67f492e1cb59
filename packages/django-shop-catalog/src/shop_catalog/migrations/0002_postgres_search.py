"""Extension, indexes and the function that search needs on PostgreSQL. Nothing happens on other databases."""

from django.db import migrations

HAS_MATCH = """
CREATE FUNCTION shop_catalog_has_match(query text) RETURNS boolean
LANGUAGE sql STABLE
SET enable_seqscan = off
SET enable_indexscan = off
AS $$
SELECT EXISTS (
    SELECT FROM shop_catalog_product
     WHERE parent_id IS NULL AND to_tsvector('simple', search_text) @@ to_tsquery('simple', query))
$$
"""
"""Whether full-text search finds any product.

The settings make PostgreSQL use the index. Since one row is enough, it would otherwise read the whole table.
"""

SIMILAR_PRODUCTS = """
CREATE FUNCTION shop_catalog_similar_products(words text[], max_results integer) RETURNS TABLE (id bigint)
LANGUAGE sql STABLE
SET pg_trgm.word_similarity_threshold = 0.45
SET enable_seqscan = off
SET enable_indexscan = off
AS $$
SELECT found.id
  FROM (SELECT product.id, product.search_text FROM shop_catalog_product AS product
         WHERE product.parent_id IS NULL
           AND words[1] <% product.search_text
           AND coalesce(words[2], words[1]) <% product.search_text
           AND NOT EXISTS (
               SELECT FROM unnest(words) WITH ORDINALITY AS given (word, place)
                WHERE (length(word) < 5 AND word_similarity(word, product.search_text) < 0.6)
                   OR (place > 2 AND NOT word <% product.search_text))
         LIMIT 500) AS found
 ORDER BY (SELECT sum(word_similarity(word, found.search_text)) FROM unnest(words) AS word) DESC, found.id DESC
 LIMIT max_results
$$
"""
"""Products with a similarly spelt word for each given word. The index looks up the first two, which are the longest.

"turqoise" and "turquoise" share 0.46 of their trigrams. Short words share as many by chance, so more is
required of them.
Comparing trigrams costs far more than the planner thinks: without the index a search would take seconds.
"""

STATEMENTS = (
    (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        # Not dropped: other apps may use the extension.
        "SELECT 1",
    ),
    # This call loads the extension's library. Only then does PostgreSQL know the setting of the threshold.
    ("SELECT similarity('a', 'a')", "SELECT 1"),
    (HAS_MATCH, "DROP FUNCTION IF EXISTS shop_catalog_has_match"),
    (SIMILAR_PRODUCTS, "DROP FUNCTION IF EXISTS shop_catalog_similar_products"),
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
            schema_editor.execute(statement, params=None)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for _statement, undo in reversed(STATEMENTS):
            schema_editor.execute(undo, params=None)


class Migration(migrations.Migration):
    dependencies = [("shop_catalog", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
