// What the admin's theme gives to the mouse alone works by keyboard, too: its menus, the folded groups of the sidebar,
// the switch of the sidebar. And a form that comes back goes to the first field that is wrong.
"use strict";

(() => {
  // Links with an address and fields of forms have the keyboard by themselves.
  const MOUSE_ONLY = "[x-on\\:click]:is(div, span, h2, h3, a:not([href]))";
  const ICON = ".material-symbols-outlined";
  const MENU = "nav:not(#nav-sidebar-inner, #nav-sidebar-apps)";

  const isShown = (element) => element.offsetParent !== null || element.getClientRects().length > 0;
  const openMenu = () => [...document.querySelectorAll(MENU)].filter(isShown).pop();
  let opener = null;

  function reachAll() {
    for (const element of document.querySelectorAll(`${MOUSE_ONLY}:not([tabindex])`)) {
      element.tabIndex = 0;
      // A heading stays one for screen readers.
      if (!/^H/.test(element.tagName)) element.setAttribute("role", "button");
      const icon = element.matches(ICON) ? element : element.querySelector(ICON);
      const isWordless = icon && element.textContent.trim() === icon.textContent.trim();
      if (isWordless) element.setAttribute("aria-label", document.getElementById("desk-live")?.dataset.menu || "");
    }
    for (const icon of document.querySelectorAll(`${ICON}:not([aria-hidden], [role])`)) {
      // Its text is the name of a picture: nobody wants to hear it before the words beside it.
      const hasWords = icon.parentElement.textContent.trim() !== icon.textContent.trim();
      if (hasWords && !icon.matches(MOUSE_ONLY)) icon.setAttribute("aria-hidden", "true");
    }
  }

  function press(element) {
    const before = openMenu();
    element.click();
    // Menus open with a transition, and stand at the end of the page: whoever opened one is led into it.
    setTimeout(() => {
      const menu = openMenu();
      if (!menu || menu === before) return;
      opener = element;
      menu.querySelector("a, button")?.focus();
    }, 200);
  }

  function close() {
    const back = opener;
    opener = null;
    document.body.click();
    back?.focus();
  }

  document.addEventListener("keydown", (event) => {
    const element = document.activeElement;
    if ((event.key === "Enter" || event.key === " ") && element?.matches(MOUSE_ONLY)) {
      event.preventDefault();
      press(element);
    } else if (event.key === "Escape" && opener) {
      close();
    } else if (event.key === "Tab" && opener && !event.shiftKey) {
      const links = openMenu()?.querySelectorAll("a, button");
      // Out of its end one comes to what follows the opener.
      if (links?.length && element === links[links.length - 1]) close();
    }
  });

  function goToTheFirstError() {
    const field = document.querySelector("#content [aria-invalid=true]");
    if (!field) return;
    const box = field.matches(".select2-hidden-accessible") && field.nextElementSibling?.querySelector("[tabindex]");
    (box || field).focus();
    (box || field).scrollIntoView({ block: "center" });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const skip = document.querySelector(".desk-skip");
    if (skip) document.body.prepend(skip);
    document.getElementById("content")?.setAttribute("role", "main");
    reachAll();
    new MutationObserver(reachAll).observe(document.body, { childList: true, subtree: true });
    // Select fields are drawn after the page, and Django's own script puts the cursor into the first field.
    setTimeout(goToTheFirstError, 100);
  });
})();
