"""Charts that the server draws."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from backoffice import plots
from backoffice.plots import Column

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*values: object) -> ET.Element:
    rows = [
        Column(label=f"day {number}", value=Decimal(str(value)), text=f"KSh {value}")
        for number, value in enumerate(values)
    ]
    text = plots.columns(rows, name="sales", title="Sales", description="What was sold.")
    return ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def bars(svg: ET.Element) -> list[tuple[float, float, float, float]]:
    return [
        tuple(float(bar.get(name, "")) for name in ("x", "y", "width", "height"))  # type: ignore[misc]
        for bar in svg.iter(f"{SVG}rect")
    ]


def test_a_column_is_as_high_as_its_value_on_the_scale():
    svg = drawn(0, 50, 100)

    floor = plots.HEIGHT - plots.BOTTOM
    room = floor - plots.TOP
    assert [round(height / room, 3) for _x, _y, _width, height in bars(svg)] == [0, 0.5, 1]
    assert {y + height for _x, y, _width, height in bars(svg)} == {floor}


@pytest.mark.parametrize("count", [1, 2, 7, 30, 90, 366])
def test_columns_are_side_by_side_inside_the_picture(count):
    found = bars(drawn(*range(count)))

    edges = [(x, x + width) for x, _y, width, _height in found]
    assert edges[0][0] >= plots.LEFT
    assert edges[-1][1] <= plots.WIDTH - plots.RIGHT + 0.01
    assert all(left[1] <= right[0] + 0.01 for left, right in pairwise(edges))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 30, 90])
def test_few_columns_are_named_and_the_last_one_always(count):
    names = [text.text for text in drawn(*range(count)).iter(f"{SVG}text") if text.get("class") == "name"]

    assert 0 < len(names) <= plots.MOST_LABELS
    assert names[-1] == f"day {count - 1}"


def test_a_plot_has_a_title_and_a_description():
    svg = drawn(1)

    assert svg.get("role") == "img"
    ids = {svg.find(f"{SVG}{tag}").get("id"): svg.find(f"{SVG}{tag}").text for tag in ("title", "desc")}  # type: ignore[union-attr]
    assert svg.get("aria-labelledby", "").split() == list(ids)
    assert list(ids.values()) == ["Sales", "What was sold."]


def test_a_column_has_its_figure_as_a_tooltip():
    assert [title.text for title in drawn(7).findall(f".//{SVG}rect/{SVG}title")] == ["day 0: KSh 7"]


def test_nothing_sold_is_a_plot_with_an_empty_scale():
    assert [height for *_place, height in bars(drawn(0, 0))] == [0, 0]
    assert bars(drawn()) == []


def test_what_is_written_into_a_plot_cannot_break_out():
    row = Column(label="<script>", value=Decimal(1), text='"><b>')
    text = plots.columns([row], name="p", title="<i>", description="&")

    assert "<script>" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert "style=" not in text


def test_negative_values_are_refused():
    with pytest.raises(ValueError, match="negative"):
        drawn(-1)


@pytest.mark.parametrize(
    ("highest", "top"),
    [("0", "1"), ("0.07", "0.08"), ("1", "1"), ("1.01", "1.2"), ("99", "100"), ("101", "120"), ("8001", "10000")],
)
def test_the_scale_ends_at_a_round_number(highest, top):
    assert plots.scale_top(Decimal(highest)) == Decimal(top)


def test_no_value_is_above_its_scale():
    for digits in range(-4, 14):
        for first in range(1, 100):
            value = Decimal(first).scaleb(digits)
            assert value <= plots.scale_top(value) <= value * 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("0.5", "0.5"),
        ("800", "800"),
        ("1000", "1k"),
        ("12500", "12.5k"),
        ("2400000", "2.4M"),
        ("3E9", "3G"),
    ],
)
def test_the_scale_is_written_short(value, text):
    assert plots.short(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "whole", "width"), [(1, 4, "25"), (4, 4, "100"), (0, 4, "0"), (3, 0, "0"), (9, 3, "100")]
)
def test_a_share_is_a_part_of_its_cell(value, whole, width):
    assert f'<rect class="part" width="{width}"' in plots.share(value, whole)
