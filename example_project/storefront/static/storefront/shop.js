"use strict";
// Small conveniences. Every page works without them.

document.documentElement.classList.add("script");

function enhance(root) {
  for (const element of root.querySelectorAll("[data-hide-with-script]")) {
    element.hidden = true;
  }
  showAddressFields();
}

// On a narrow screen the menu scrolls: bring the link of the current page into view.
for (const here of document.querySelectorAll(".nav [aria-current], .side [aria-current]")) {
  const menu = here.closest("ul");
  menu.scrollLeft = here.offsetLeft - menu.offsetLeft - (menu.clientWidth - here.offsetWidth) / 2;
}

// A page that all visitors share shows nobody's cart or account. A visitor with the cookie csrftoken has used a form,
// and may have a cart or an account: request the links to them.
const shared = document.querySelector("[data-shared]");
if (shared && document.cookie.includes("csrftoken=")) {
  htmx.ajax("GET", shared.dataset.shared, { target: shared, swap: "outerHTML" });
}

// A form that is sent once: a second click does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]") || form.hasAttribute("hx-post")) {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});

// The browser's back button shows the page as it was left.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-sent]")) {
    delete form.dataset.sent;
  }
});

// Price and stock of the variant that is chosen.
document.addEventListener("change", (event) => {
  const { price, stock } = event.target.dataset;
  if (price && stock) {
    for (const [target, source] of [["price", price], ["stock", stock]]) {
      document.getElementById(target).replaceChildren(document.getElementById(source).content.cloneNode(true));
    }
  }
});

// Thumbnails move the gallery and leave the page where it is.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-gallery]");
  if (link) {
    event.preventDefault();
    const picture = document.querySelector(link.hash);
    picture.parentElement.scrollTo({ left: picture.offsetLeft - picture.parentElement.offsetLeft });
  }
});

// Checkout: the fields of an address only where one is needed.
function showAddressFields() {
  const section = document.querySelector("[data-needs-address]");
  if (!section) {
    return;
  }
  const delivery = document.querySelector("input[name=delivery]:checked");
  const address = document.querySelector("input[name=address]:checked");
  section.hidden = Boolean(delivery && delivery.closest("[data-no-address]"));
  section.querySelector("[data-new-address]").hidden = Boolean(address && address.value);
}
document.addEventListener("change", showAddressFields);

// Short messages disappear after eight seconds; Escape closes the suggestions.
document.addEventListener("htmx:afterSwap", (event) => {
  enhance(event.target);
  if (event.target.id === "toast") {
    const note = event.target.firstElementChild;
    setTimeout(() => note && note.remove(), 8000);
  }
});
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("suggestions");
  if (event.key === "Escape" && box && box.childElementCount) {
    box.replaceChildren();
    document.getElementById("search").focus();
  }
});

enhance(document);
