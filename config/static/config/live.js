// Pages that dispatchers watch refresh their rows, numbers and states by themselves: the page is asked for again and
// the parts that changed take the place of the old ones. Nothing is touched while somebody works in those parts.
(() => {
  const EVERY = 5000;
  const PAGES = [
    /^\/admin\/$/,
    /^\/admin\/chargers\/(chargingsession|chargerconnection|outgoingcall|reservation)\/$/,
    /^\/admin\/chargers\/(chargingsession|chargerconnection|outgoingcall)\/\d+\/change\/$/,
    /^\/admin\/infrastructure\/evse\/$/,
    /^\/admin\/(infrastructure\/(location|charger|evse)|roaming\/roamingplatform)\/\d+\/change\/$/,
    /^\/admin\/roaming\/push\/$/,
  ];
  const PARTS = ["[data-live]", "#result_list", ".desk-story", ".readonly"];

  const isBusy = (part) =>
    part.contains(document.activeElement) || part.querySelector("input[type=checkbox]:checked") !== null;

  async function refresh() {
    if (document.hidden || !window.getSelection().isCollapsed) return;
    const answer = await fetch(location.href, { headers: { "X-Requested-With": "live" }, redirect: "manual" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const selector of PARTS) {
      const before = document.querySelectorAll(selector);
      const after = fresh.querySelectorAll(selector);
      // Another number of parts means another page: leave that to the reader.
      if (before.length !== after.length) continue;
      before.forEach((part, place) => {
        if (part.innerHTML !== after[place].innerHTML && !isBusy(part)) part.replaceWith(document.adoptNode(after[place]));
      });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!PAGES.some((page) => page.test(location.pathname))) return;
    const again = () => refresh().catch(() => {}).finally(() => setTimeout(again, EVERY));
    setTimeout(again, EVERY);
  });
})();
