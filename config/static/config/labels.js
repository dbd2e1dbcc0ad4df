// Names for screen readers where the widgets of the admin have none: search boxes of select fields and the inputs of
// tables, whose headers are read instead. On a phone each cell stands beside its header, which begins with a capital.
"use strict";

(() => {
  const name = (control, text) => text && control.setAttribute("aria-label", text.trim().replace(/\s*\*$/, ""));

  function nameAll() {
    for (const box of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
      const select = box.closest(".select2")?.previousElementSibling;
      name(box, select && select.labels?.[0]?.textContent);
    }
    for (const control of document.querySelectorAll("td :is(input, select, textarea):not([type=hidden], [aria-label])")) {
      const cell = control.closest("td");
      const header = cell.closest("table")?.querySelectorAll("thead th")[cell.cellIndex];
      if (!control.labels?.length) name(control, header && header.textContent.replace(/help_outline|help/, ""));
    }
    for (const cell of document.querySelectorAll("#result_list [data-label]")) {
      const label = cell.dataset.label;
      cell.dataset.label = label.charAt(0).toUpperCase() + label.slice(1);
    }
  }

  // A table wider than the screen is scrolled by keyboard, too.
  const reachAll = () => document.querySelectorAll(".desk-scroll").forEach((region) => (region.tabIndex = 0));

  document.addEventListener("DOMContentLoaded", () => {
    // Select fields are drawn after the page, and new rows come with a click.
    setTimeout(nameAll, 0);
    reachAll();
    new MutationObserver(() => (nameAll(), reachAll())).observe(document.body, { childList: true, subtree: true });
  });
})();
