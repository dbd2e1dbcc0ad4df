// Buttons that copy what is shown once, such as a token.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  // Not navigator.clipboard: it is missing on plain http.
  getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
  button.textContent = document.execCommand("copy") ? button.dataset.copied : button.dataset.failed;
});
