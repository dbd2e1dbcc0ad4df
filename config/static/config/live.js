// Pages that dispatchers watch refresh their rows, numbers and states by themselves: the page is asked for again, and
// what changed in it is put in place (patch.js). Who looks at something old is told so, and since when.
"use strict";

(() => {
  const EVERY = 5000;
  // Longer than a slow answer: after it we ask again.
  const PATIENCE = 15000;
  // A figure may be that old before it is called so.
  const FRESH = 15000;
  // Nothing changes under a pointer that was on its way to something a moment ago.
  const STILL = 1000;
  const PAGES = [
    /^\/admin\/$/,
    /^\/admin\/chargers\/(chargingsession|chargerconnection|outgoingcall|reservation)\/$/,
    /^\/admin\/chargers\/(chargingsession|chargerconnection|outgoingcall)\/\d+\/change\/$/,
    /^\/admin\/infrastructure\/evse\/$/,
    /^\/admin\/(infrastructure\/(location|charger|evse)|roaming\/roamingplatform)\/\d+\/change\/$/,
    /^\/admin\/roaming\/push\/$/,
  ];
  const PARTS = "[data-live], #result_list, .readonly";
  const ROWS = ".inline-group, [data-inline-type]";
  const FORM = "form[id$=_form]";
  const CLICKABLE = "a, button, input, label, select, summary";

  let asOf = new Date();
  let hand = { target: null, at: 0, isPressed: false };

  // Rows that are being typed into a form are no parts: the server does not know them yet.
  const partsOf = (page) => [...page.querySelectorAll(PARTS)].filter((part) => !part.parentElement.closest(`${PARTS}, ${ROWS}`));
  const underHand = () => hand.target?.closest?.(CLICKABLE);
  const isBusy = () =>
    hand.isPressed ||
    !window.getSelection().isCollapsed ||
    (Date.now() - hand.at < STILL && underHand()?.closest(PARTS));

  // Why what is to be read may be old: "lost", "out" (logged out), "busy" (somebody reads or marks it); "" for fresh.
  function tell(why) {
    const note = document.getElementById("desk-live");
    if (note.dataset.why === why) return;
    note.dataset.why = why;
    const text = why ? note.dataset[why].replace("{time}", asOf.toLocaleTimeString(document.documentElement.lang, { hour12: false })) : "";
    note.querySelector("span").textContent = text;
    note.querySelector("a").hidden = why !== "out";
  }

  // What somebody points at or has reached with the keyboard stays where it is on the screen.
  function inPlace(change) {
    const focused = document.activeElement;
    const part = focused?.closest(PARTS);
    const held = part ? focused : underHand();
    const before = held?.getBoundingClientRect().top;
    change();
    if (part && !focused.isConnected && part.isConnected) {
      part.tabIndex = -1;
      part.focus({ preventScroll: true });
    }
    if (held?.isConnected) window.scrollBy(0, held.getBoundingClientRect().top - before);
  }

  // Whether that could be done.
  function show(fresh) {
    const [before, after] = [partsOf(document), partsOf(fresh)];
    if (before.length === after.length) {
      inPlace(() => before.forEach((part, place) => deskPatch(part, after[place])));
      return true;
    }
    // A list that has its first row, or none any more, is another page. What was typed into a form is never thrown away.
    if (document.activeElement === document.body && !document.querySelector(FORM)) location.reload();
    return false;
  }

  async function refresh() {
    const asked = new Date();
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(location.href, { headers: { "X-Requested-With": "live" }, signal });
    if (answer.redirected) return tell("out");
    if (!answer.ok) return tell("lost");
    const text = await answer.text();
    if (isBusy() || !show(new DOMParser().parseFromString(text, "text/html"))) return Date.now() - asOf > FRESH && tell("busy");
    asOf = asked;
    document.dispatchEvent(new Event("desk:refreshed"));
    tell("");
  }

  function watch() {
    let waiting, asking;
    const again = () => {
      clearTimeout(waiting);
      if (asking || document.hidden) return;
      asking = true;
      refresh().catch(() => tell("lost")).finally(() => {
        asking = false;
        waiting = setTimeout(again, EVERY);
      });
    };
    waiting = setTimeout(again, EVERY);
    document.addEventListener("visibilitychange", again);
    window.addEventListener("online", again);
    window.addEventListener("offline", () => tell("lost"));
    const point = (event) => (hand = { target: event.target, at: Date.now(), isPressed: event.buttons > 0 });
    for (const kind of ["pointermove", "pointerdown", "pointerup", "pointercancel"]) document.addEventListener(kind, point);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (document.getElementById("desk-live") && PAGES.some((page) => page.test(location.pathname))) watch();
  });
})();
