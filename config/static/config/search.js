// The search that every page has: Ctrl+K or its button opens it, arrows go through what is found, Enter opens it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  // As long as somebody types on, we do not ask.
  const PAUSE = 200;
  const dialog = document.getElementById("desk-search");
  if (!dialog) return;
  const input = document.getElementById("search-input-command");
  const results = document.getElementById("command-results");
  const found = document.getElementById("desk-found");
  const links = () => [...results.querySelectorAll("a")];
  let waiting, asking, asked = "", isWanted = false;

  function show(html, text) {
    results.innerHTML = html;
    found.textContent = text;
  }

  async function look() {
    asking?.abort();
    asking = new AbortController();
    const text = input.value;
    const word = text.trim();
    if (!word) {
      isWanted = false;
      return show("", "");
    }
    try {
      const answer = await fetch(`${dialog.dataset.url}?s=${encodeURIComponent(word)}`, { signal: asking.signal });
      if (answer.redirected) return location.reload();
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.text(), "");
      asked = text;
      found.textContent = results.firstElementChild.dataset.found;
      if (isWanted) links()[0]?.click();
    } catch (error) {
      // Another look has begun, which knows what is wanted.
      if (error.name === "AbortError") return;
      show("", dialog.dataset.lost);
    }
    isWanted = false;
  }

  function open() {
    if (!dialog.open) dialog.showModal();
    input.select();
  }

  // Enter opens the first result; pressed before the answer is there, as soon as it is.
  function enter() {
    if (asked === input.value && links().length) return links()[0].click();
    isWanted = true;
    clearTimeout(waiting);
    look();
  }

  function move(step) {
    const stops = [input, ...links()];
    stops[stops.indexOf(document.activeElement) + step]?.focus();
  }

  window.addEventListener("opencommand", open);
  document.addEventListener("keydown", (event) => {
    if (event.key === "k" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      open();
    }
  });
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    isWanted = false;
    waiting = setTimeout(look, PAUSE);
  });
  dialog.addEventListener("keydown", (event) => {
    const act = { ArrowDown: () => move(1), ArrowUp: () => move(-1) }[event.key] || (event.key === "Enter" && event.target === input && enter);
    if (!act) return;
    event.preventDefault();
    act();
  });
  // Beside the box.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
});
