// Brings a part of the page up to date with the server's newest words for it, in place: what is unchanged stays the
// same element, so that focus, ticks, open menus, names for screen readers and charts stay, too.
"use strict";

const deskPatch = (() => {
  // What scripts write onto elements of their own accord is left alone; of these the server alone decides.
  const SERVERS = ["class", "href", "title", "datetime", "data-value"];
  const isBound = (element, name) => element.hasAttribute(`x-bind:${name}`) || element.hasAttribute(`:${name}`);

  // Rows are the same row as long as they lead to the same page.
  const keyOf = (node) =>
    node.matches?.("tr, tbody, li, [data-live]")
      ? node.dataset.live || node.querySelector("th a[href], a[href]")?.getAttribute("href") || ""
      : "";
  const isAlike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

  function draw(canvas) {
    const data = JSON.parse(canvas.dataset.value);
    const chart = Chart.getChart(canvas);
    if (!chart) return new Chart(canvas, { type: canvas.dataset.type, data, options: { ...DEFAULT_CHART_OPTIONS } });
    chart.data = data;
    chart.update("none");
  }

  function attributes(element, fresh) {
    const isNew = element.getAttribute("data-value") !== fresh.getAttribute("data-value");
    for (const name of SERVERS) {
      const value = fresh.getAttribute(name);
      if (value === element.getAttribute(name) || isBound(element, name)) continue;
      if (value === null) element.removeAttribute(name);
      else element.setAttribute(name, value);
    }
    if (isNew && element.matches("canvas.chart")) draw(element);
  }

  function children(element, fresh) {
    const wanted = new Set([...fresh.childNodes].map(keyOf));
    const known = new Map([...element.childNodes].map((node) => [keyOf(node), node]));
    let at = element.firstChild;
    for (const node of [...fresh.childNodes]) {
      // Rows that are gone make room, so that those that stay need not be moved.
      while (at && keyOf(at) && !wanted.has(keyOf(at))) at = [at.nextSibling, at.remove()][0];
      const same = at && isAlike(at, node) ? at : keyOf(node) && known.get(keyOf(node));
      if (same && isAlike(same, node)) {
        known.delete(keyOf(node));
        if (same !== at) element.insertBefore(same, at);
        patch(same, node);
        at = same.nextSibling;
      } else {
        const added = element.insertBefore(document.importNode(node, true), at);
        added.querySelectorAll?.("canvas.chart").forEach(draw);
      }
    }
    while (at) at = [at.nextSibling, at.remove()][0];
  }

  function patch(element, fresh) {
    if (element.nodeType !== Node.ELEMENT_NODE) {
      if (element.data !== fresh.data) element.data = fresh.data;
      return;
    }
    attributes(element, fresh);
    // A template's children are none of the page's.
    if (element.nodeName !== "TEMPLATE") children(element, fresh);
  }

  return patch;
})();
