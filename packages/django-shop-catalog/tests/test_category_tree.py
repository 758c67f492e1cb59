"""The category tree with a single writer: actions, the model's own methods, fixtures, damage and repair."""

import json
import os

import pytest
from django.core.management import CommandError, call_command
from django.db.models import ProtectedError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mptt.exceptions import InvalidMove
from shop_catalog import categories
from shop_catalog.categories import nested_sets
from shop_catalog.exceptions import CategoryCycle, CategoryNotEmpty, DuplicateValue, UnknownCategory
from shop_catalog.imports import import_categories
from shop_catalog.models import Category, CategoryTreeVersion

pytestmark = pytest.mark.django_db


def outline():
    """The tree as indented names."""
    return [f"{'-' * category.level}{category.name}" for category in Category.objects.all()]


@pytest.fixture
def animals():
    root = categories.create("Animals")
    categories.create("Birds", parent=root)
    cats = categories.create("Cats", parent=root)
    categories.create("Lions", parent=cats)
    categories.create("Zoo")
    return root


def test_siblings_are_ordered_by_position_then_name(animals):
    categories.create("Ants", parent=animals)
    categories.create("Yaks", parent=animals, position=0)
    categories.create("Apes", parent=animals, position=5)
    assert outline() == ["Animals", "-Ants", "-Birds", "-Cats", "--Lions", "-Yaks", "-Apes", "Zoo"]
    assert categories.check() == []


def test_create_chooses_an_unused_slug():
    slugs = [categories.create("Café & Co").slug for _ in range(3)]
    assert slugs == ["cafe-co", "cafe-co-2", "cafe-co-3"]


def test_create_refuses_a_taken_slug(animals):
    with pytest.raises(DuplicateValue):
        categories.create("Other", slug="animals")
    assert Category.objects.count() == 5


def test_rename_moves_among_siblings(animals):
    categories.change(categories.get("birds"), name="Zebras")
    assert outline() == ["Animals", "-Cats", "--Lions", "-Zebras", "Zoo"]
    assert categories.check() == []


def test_move_includes_the_subtree(animals):
    categories.move(categories.get("cats"), parent=categories.get("zoo"))
    assert outline() == ["Animals", "-Birds", "Zoo", "-Cats", "--Lions"]
    assert categories.check() == []


def test_move_before_a_sibling(animals):
    categories.move(categories.get("zoo"), parent=None, before=categories.get("animals"))
    assert outline() == ["Zoo", "Animals", "-Birds", "-Cats", "--Lions"]
    assert categories.check() == []


def test_move_below_itself_is_refused(animals):
    with pytest.raises(CategoryCycle):
        categories.move(animals, parent=categories.get("lions"))
    assert outline() == ["Animals", "-Birds", "-Cats", "--Lions", "Zoo"]
    assert categories.check() == []


def test_reorder_puts_children_into_an_order(animals):
    categories.reorder(animals, slugs=["cats", "birds"])
    assert outline() == ["Animals", "-Cats", "--Lions", "-Birds", "Zoo"]
    with pytest.raises(UnknownCategory):
        categories.reorder(animals, slugs=["zoo"])


def test_delete_refuses_a_category_with_children(animals):
    with pytest.raises(CategoryNotEmpty):
        categories.delete(animals)
    with pytest.raises(ProtectedError):
        animals.delete()
    assert Category.objects.count() == 5
    assert categories.check() == []


def test_delete_can_move_children_up(animals):
    categories.delete(categories.get("cats"), children="move_up")
    assert outline() == ["Animals", "-Birds", "-Lions", "Zoo"]
    assert categories.check() == []


def test_stale_instance_does_not_undo_a_move(animals):
    stale = categories.get("cats")
    categories.move(stale, parent=categories.get("zoo"))
    stale.description = "Big and small"
    stale.save()
    assert outline() == ["Animals", "-Birds", "Zoo", "-Cats", "--Lions"]
    assert categories.check() == []


def test_stale_instances_saved_in_turn_leave_a_valid_tree(animals):
    stale = {category.slug: category for category in Category.objects.all()}
    stale["lions"].parent = None
    stale["lions"].save()
    stale["cats"].parent = stale["birds"]
    stale["cats"].save()
    stale["birds"].parent = stale["zoo"]
    stale["birds"].save()
    stale["zoo"].name = "A zoo"
    stale["zoo"].save()
    assert categories.check() == []
    assert outline() == ["A zoo", "-Birds", "--Cats", "Animals", "Lions"]


def test_parent_that_is_not_written_does_not_move_the_node(animals):
    cats = categories.get("cats")
    cats.parent = categories.get("zoo")
    cats.description = "Moved only in memory"
    cats.save(update_fields=["description"])
    assert outline() == ["Animals", "-Birds", "-Cats", "--Lions", "Zoo"]
    assert categories.check() == []


def test_a_stale_position_that_is_not_written_does_not_move_the_node(animals):
    birds = categories.get("birds")
    categories.move(birds, parent=animals)
    birds.name = "Aviary"
    birds.save(update_fields=["name"])
    assert outline() == ["Animals", "-Cats", "--Lions", "-Aviary", "Zoo"]
    assert (birds.position, categories.get("birds").position) == (0, 1)
    assert categories.check() == []


def test_saving_a_deleted_category_is_refused(animals):
    stale = categories.get("zoo")
    categories.delete(categories.get("zoo"))
    with pytest.raises(Category.DoesNotExist):
        stale.save()
    assert Category.objects.count() == 4


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("left", ["Zoo", "Animals", "-Birds", "-Cats", "--Lions"]),
        ("right", ["Animals", "-Birds", "-Cats", "--Lions", "Zoo"]),
        ("first-child", ["Animals", "-Zoo", "-Birds", "-Cats", "--Lions"]),
        ("last-child", ["Animals", "-Birds", "-Cats", "--Lions", "-Zoo"]),
    ],
)
def test_move_to_a_place_relative_to_another(animals, position, expected):
    categories.get("zoo").move_to(animals, position)
    assert outline() == expected
    assert categories.check() == []


def test_move_to_none_makes_a_root(animals):
    categories.get("cats").move_to(None)
    assert outline() == ["Animals", "-Birds", "Zoo", "Cats", "-Lions"]


def test_move_to_below_itself_is_refused(animals):
    with pytest.raises(InvalidMove):
        animals.move_to(categories.get("lions"), "left")
    assert categories.check() == []


def test_bulk_writes_of_the_queryset_lock_the_tree(animals):
    version = CategoryTreeVersion.objects.get().version
    Category.objects.filter(slug="zoo").update(name="Park")
    assert CategoryTreeVersion.objects.get().version != version
    Category.objects.filter(slug__in=["cats", "lions", "birds"]).delete()
    assert outline() == ["Animals", "Park"]
    assert categories.check() == []


def test_every_change_gives_the_tree_a_new_version(animals):
    seen = {CategoryTreeVersion.objects.get().version}
    steps = [
        lambda: categories.create("New"),
        lambda: categories.change(animals, name="Beasts"),
        lambda: categories.move(categories.get("birds"), parent=None),
        lambda: categories.delete(categories.get("birds")),
        categories.repair,
    ]
    for number, step in enumerate(steps, start=2):
        step()
        seen.add(CategoryTreeVersion.objects.get().version)
        assert len(seen) == number


FIXTURE = [
    {"pk": 901, "fields": {"name": "Fixture", "slug": "fixture", "parent": None, "lft": 1, "rght": 2, "tree_id": 1}},
    {"pk": 902, "fields": {"name": "Below", "slug": "below", "parent": 901, "lft": 1, "rght": 2, "tree_id": 1}},
]


@pytest.mark.django_db(transaction=True)
def test_loaddata_leaves_a_valid_tree(tmp_path):
    categories.create("There before")
    rows = [
        {"model": "shop_catalog.category", "pk": row["pk"], "fields": {**row["fields"], "level": 0}} for row in FIXTURE
    ]
    (tmp_path / "fixture.json").write_text(json.dumps(rows))
    version = CategoryTreeVersion.objects.get().version
    call_command("loaddata", str(tmp_path / "fixture.json"), verbosity=0)
    assert outline() == ["Fixture", "-Below", "There before"]
    assert categories.check() == []
    assert CategoryTreeVersion.objects.get().version != version


def damage(**values):
    """Write without the lock of the tree, as a bug would."""
    slug = values.pop("slug")
    columns = ", ".join(f"{name} = %s" for name in values)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE shop_catalog_category SET {columns} WHERE slug = %s", [*values.values(), slug])


def pk(slug):
    return Category.objects.values_list("pk", flat=True).get(slug=slug)


DAMAGES = {
    "swapped bounds": lambda: damage(slug="cats", lft=9, rght=4),
    "too wide": lambda: damage(slug="birds", rght=40),
    "outside its parent": lambda: damage(slug="lions", lft=50, rght=51),
    "wrong level": lambda: damage(slug="lions", level=7),
    "another tree": lambda: damage(slug="birds", tree_id=9),
    "shared bound": lambda: damage(slug="birds", lft=4, rght=5),
    "two roots in one tree": lambda: damage(slug="zoo", tree_id=1, lft=1, rght=2),
    "root whose left bound is not 1": lambda: damage(slug="zoo", lft=3, rght=4),
    "cycle of two": lambda: damage(slug="animals", parent_id=pk("cats")),
    "cycle of one": lambda: damage(slug="zoo", parent_id=pk("zoo")),
    "cycle of three": lambda: damage(slug="animals", parent_id=pk("lions")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_repaired(animals, name, capsys):
    DAMAGES[name]()
    assert categories.check() != []
    with pytest.raises(CommandError):
        call_command("check_category_tree")
    call_command("check_category_tree", "--fix")
    assert categories.check() == []
    assert Category.objects.count() == 5
    call_command("check_category_tree")
    assert "no faults" in capsys.readouterr().out


def test_repair_of_a_parent_cycle_removes_only_one_link(animals):
    damage(slug="animals", parent_id=pk("lions"))
    categories.repair()
    assert outline() == ["Animals", "-Birds", "-Cats", "--Lions", "Zoo"]


def test_tree_of_two_thousand_levels_can_be_numbered():
    rows = [nested_sets.TreeNode(number, number - 1 or None, 0, "x", 0, 0, 0, 0) for number in range(1, 2001)]
    numbers = nested_sets.number(rows)
    assert numbers[2000] == nested_sets.Numbers(1, 2000, 2001, 1999)


FULL = bool(os.environ.get("SHOP_TEST_FULL"))
NODES = st.integers(0, 11)
OPERATIONS = st.one_of(
    st.tuples(st.just("create"), NODES, NODES, st.integers(0, 3)),
    st.tuples(st.just("move"), NODES, NODES, NODES),
    st.tuples(st.just("delete"), NODES, st.booleans()),
    st.tuples(st.just("rename"), NODES, st.integers(0, 3)),
    st.tuples(st.just("stale"), NODES, NODES),
)


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=200 if FULL else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(OPERATIONS, min_size=5, max_size=60 if FULL else 25))
@example([("create", 0, 0, 0), ("create", 4, 0, 0), ("create", 8, 10, 0), ("move", 4, 2, 0), ("rename", 4, 1)])
def test_any_sequence_of_operations_equals_a_plain_parent_table(operations):
    Category.objects.all().order_by("-level").delete()
    parents, names, positions = {}, {}, {}
    stale = {}

    def slug_of(number):
        return f"c{number}"

    def is_below(number, other):
        while number is not None:
            if number == other:
                return True
            number = parents[number]
        return False

    for operation, number, *rest in operations:
        known = number in parents
        if operation == "create" and not known:
            parent = rest[0] if rest[0] in parents else None
            above = categories.get(slug_of(parent)) if parent is not None else None
            stale[number] = categories.create(f"n{rest[1]}", slug=slug_of(number), parent=above, position=rest[1])
            parents[number], names[number], positions[number] = parent, f"n{rest[1]}", rest[1]
        elif operation == "move" and known:
            parent = rest[0] if rest[0] in parents else None
            above = categories.get(slug_of(parent)) if parent is not None else None
            if parent is not None and is_below(parent, number):
                with pytest.raises(CategoryCycle):
                    categories.move(stale[number], parent=above)
            else:
                categories.move(stale[number], parent=above)
                parents[number] = parent
        elif operation == "delete" and known:
            below = [child for child, parent in parents.items() if parent == number]
            if below and not rest[0]:
                with pytest.raises(CategoryNotEmpty):
                    categories.delete(categories.get(slug_of(number)))
            else:
                categories.delete(categories.get(slug_of(number)), children="move_up")
                for child in below:
                    parents[child] = parents[number]
                del parents[number], names[number], positions[number]
        elif operation == "rename" and known:
            names[number] = f"n{rest[0]}"
            stale[number].name = names[number]
            stale[number].save(update_fields=["name"])
        elif operation == "stale" and known and rest[0] in parents and not is_below(rest[0], number):
            stale[number].refresh_from_db(fields=["parent"])
            stale[number]._mptt_cached_fields["parent"] = stale[number].parent_id
            stale[number].parent = stale[rest[0]]
            stale[number].save()
            parents[number] = rest[0]

    assert categories.check() == []
    found = {category.slug: category for category in Category.objects.select_related("parent")}
    assert {slug: found[slug].parent.slug if found[slug].parent else None for slug in found} == {
        slug_of(number): slug_of(parent) if parent is not None else None for number, parent in parents.items()
    }
    for siblings in _siblings(found.values()):
        assert siblings == sorted(siblings, key=lambda row: (row.position, row.name))


def _siblings(rows):
    by_parent = {}
    for row in sorted(rows, key=lambda row: (row.tree_id, row.lft)):
        by_parent.setdefault(row.parent_id, []).append(row)
    return by_parent.values()


def test_import_reads_paths_and_indented_lines():
    report = import_categories(
        ["# a comment", "Food > Fruit > Apples", "Food > Fruit", "", "Tools", "  Hammers", "    Small"]
    )
    assert (report.lines, report.created, report.errors) == (5, 6, [])
    assert outline() == ["Food", "-Fruit", "--Apples", "Tools", "-Hammers", "--Small"]
    assert categories.check() == []


def test_import_twice_adds_nothing():
    lines = ["A > B", "A > C", "D"]
    import_categories(lines)
    report = import_categories(lines)
    assert report.created == 0
    assert outline() == ["A", "-B", "-C", "D"]


def test_import_adds_below_existing_categories(animals):
    import_categories(["Animals > Cats > Tigers", "Plants"])
    assert outline() == ["Animals", "-Birds", "-Cats", "--Lions", "--Tigers", "Zoo", "Plants"]
    assert categories.check() == []


def test_import_reports_invalid_lines_by_number():
    report = import_categories(["A > > C", "B", "x" * 201, "nul\0"])
    assert [number for number, _reason in report.errors] == [1, 3, 4]
    assert outline() == ["B"]


def test_import_dry_run_writes_nothing():
    assert import_categories(["A > B"], dry_run=True).created == 2
    assert Category.objects.count() == 0


def test_same_name_below_two_parents_gets_two_slugs():
    import_categories(["Cars > Parts", "Bikes > Parts"])
    assert sorted(Category.objects.filter(name="Parts").values_list("slug", flat=True)) == ["bikes-parts", "parts"]


def test_google_taxonomy_loads_into_a_valid_tree(shared_data, capsys):
    call_command("import_categories", str(shared_data / "google-product-taxonomy.txt"))
    assert "5595 lines, 5595 categories added, 0 errors." in capsys.readouterr().out
    assert Category.objects.count() == 5595
    assert categories.check() == []
    root = Category.objects.get(slug="animals-pet-supplies")
    assert Category.objects.in_subtree(root).count() == root.get_descendant_count() + 1
    lines = [line for line in (shared_data / "google-product-taxonomy.txt").read_text().splitlines() if line]
    deepest = max(lines, key=lambda line: line.count(">")).split(" > ")
    leaf = Category.objects.get(name=deepest[-1], level=len(deepest) - 1)
    assert [*Category.objects.above(leaf).values_list("name", flat=True), leaf.name] == deepest


def test_reading_a_tree_that_was_never_written_writes_nothing(django_assert_num_queries):
    CategoryTreeVersion.objects.all().delete()
    with django_assert_num_queries(2) as captured:
        assert categories.current_tree().by_slug == {}
    assert [query["sql"][:6] for query in captured] == ["SELECT", "SELECT"]
    assert CategoryTreeVersion.objects.count() == 0
    categories.create("First")
    assert [*categories.current_tree().by_slug] == ["first"]
