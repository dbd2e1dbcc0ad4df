// A tariff is looked at before it is saved: the form is sent as if to be saved, the server takes that back, and what it
// found stands over the form. A form with errors is sent for good: the page that comes back names them.
"use strict";

document.addEventListener("click", async (event) => {
  const dialog = document.getElementById("preview");
  if (event.target.closest("[data-close]")) dialog.close();
  const button = event.target.closest("button[name=_preview]");
  if (!button) return;
  event.preventDefault();
  const data = new FormData(button.form);
  data.append(button.name, "1");
  button.disabled = true;
  try {
    const answer = await fetch(location.href, { method: "POST", body: data });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = page.querySelector("[data-preview]");
    button.disabled = false;
    if (!shown) return button.form.requestSubmit(button);
    dialog.querySelector("div").replaceChildren(document.adoptNode(shown));
    dialog.showModal();
    dialog.scrollTop = 0;
  } finally {
    button.disabled = false;
  }
});
