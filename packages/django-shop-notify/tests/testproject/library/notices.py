"""The site's own callables that its routes name."""


def returned_context(sender, *, book, member, **kwargs):
    return {"book": {"title": book["title"]}, "recipients": {"member": member}}


def returned_id(sender, *, book, member, **kwargs):
    return f"returned-{book['copy']}-{member['key']}"


def librarians(payload):
    return [{"key": "staff:1", "email": "desk@example.org"}, {"key": "staff:2", "email": "night@example.org"}]
