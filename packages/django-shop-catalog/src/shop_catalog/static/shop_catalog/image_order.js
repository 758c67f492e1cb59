/* The images of a product in the admin: drag a row by its handle, or move it by its buttons, and the positions follow.
   Without this script, the positions are typed. */
(function () {
    "use strict";

    const ROW = "tr.form-row.has_original";
    let dragged = null;

    function rowsOf(group) {
        return Array.from(group.querySelectorAll(ROW));
    }

    function positionOf(row) {
        return row.querySelector("input[name$='-position']");
    }

    function number(group) {
        rowsOf(group).forEach(function (row, place) {
            positionOf(row).value = place;
        });
    }

    function button(symbol, label, move) {
        const made = document.createElement("button");
        made.type = "button";
        made.className = "button";
        made.textContent = symbol;
        made.setAttribute("aria-label", label);
        made.addEventListener("click", function () {
            move();
            made.focus();
        });
        return made;
    }

    function prepare(group, row) {
        const input = positionOf(row);
        const handle = document.createElement("span");
        handle.draggable = true;
        handle.textContent = "⠿";
        handle.title = input.dataset.drag;
        handle.setAttribute("aria-hidden", "true");
        handle.style.cursor = "grab";
        handle.addEventListener("dragstart", function (event) {
            dragged = row;
            event.dataTransfer.effectAllowed = "move";
            event.dataTransfer.setData("text/plain", "");
            event.dataTransfer.setDragImage(row, 0, 0);
        });
        handle.addEventListener("dragend", function () {
            dragged = null;
            number(group);
        });
        row.addEventListener("dragover", function (event) {
            if (dragged === null || dragged === row) {
                return;
            }
            event.preventDefault();
            const box = row.getBoundingClientRect();
            const isBelow = event.clientY > box.top + box.height / 2;
            row.parentNode.insertBefore(dragged, isBelow ? row.nextSibling : row);
        });
        row.addEventListener("drop", function (event) {
            event.preventDefault();
        });
        const up = button("↑", input.dataset.up, function () {
            const rows = rowsOf(group);
            const before = rows[rows.indexOf(row) - 1];
            if (before) {
                before.parentNode.insertBefore(row, before);
                number(group);
            }
        });
        const down = button("↓", input.dataset.down, function () {
            const rows = rowsOf(group);
            const after = rows[rows.indexOf(row) + 1];
            if (after) {
                after.parentNode.insertBefore(row, after.nextSibling);
                number(group);
            }
        });
        input.after(" ", handle, " ", up, " ", down);
    }

    document.addEventListener("DOMContentLoaded", function () {
        const group = document.getElementById("images-group");
        if (group !== null) {
            rowsOf(group).filter(positionOf).forEach(function (row) {
                prepare(group, row);
            });
        }
    });
})();
