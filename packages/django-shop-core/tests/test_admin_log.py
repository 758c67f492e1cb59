"""The log of Django's admin keeps no name of a row that was erased."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.test import override_settings
from shop_core import admin_log

pytestmark = pytest.mark.django_db


@pytest.fixture
def logged():
    """A group and a user with the same primary key, each with an entry in the log."""
    admin = User.objects.create(pk=7, username="admin")
    rows = [Group.objects.create(pk=7, name="packers"), admin]
    for row in rows:
        LogEntry.objects.create(
            user=admin,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=str(row),
            action_flag=CHANGE,
            change_message='[{"changed": {"object": "packers"}}]',
        )
    return rows


def entries():
    return set(LogEntry.objects.values_list("content_type__model", "object_repr", "change_message"))


def test_names_and_messages_of_the_rows_are_blank_in_one_statement(logged, django_assert_num_queries):
    group, user = logged
    with django_assert_num_queries(1):
        admin_log.erase([group, Group(pk=8)])
    assert {entry for entry in entries() if entry[0] == "group"} == {("group", "", "[]")}
    assert {entry[1] for entry in entries() if entry[0] == "user"} == {str(user)}


def test_no_rows_and_no_admin_need_no_statement(logged, django_assert_num_queries):
    with django_assert_num_queries(0):
        admin_log.erase([])
        with override_settings(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"]):
            admin_log.erase(logged[:1])
    assert {entry[1] for entry in entries()} == {"packers", "admin"}
