// A terminal to touch. All that it shows follows from the address (#pay/…, #session/…) and from what the provider knows,
// so that a reload, the back button and a second browser find everything where it was.
import { TEXTS } from "./texts.js";

const POLL = 1000;
// Plugtill stops some seconds ahead of the blocked amount, and energy flows fast in a demo.
const NEARLY_USED_UP = 0.75;
const LIVE = ["PENDING", "ACTIVE"];
const TOLD = ["hold", "declined", "start_session", "stop_session", "command_response", "command_result", "session", "cdr", "capture", "advice", "release"];
const $ = (id) => document.getElementById(id);

let language = localStorage.getItem("language") || (navigator.language.startsWith("de") ? "de" : "en");
let t = TEXTS[language];
let state = null;
let isChecking = false;
let refusal = "";
let events = [];

// -- words -------------------------------------------------------------------------------------------------

const say = (text, values = {}) => text.replace(/{(\w+)}/g, (_, name) => values[name] ?? "–");
const money = (amount, currency) => new Intl.NumberFormat(t.locale, { style: "currency", currency }).format(amount);
const number = (value, digits) => new Intl.NumberFormat(t.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const gross = (price) => (price ? price.incl_vat ?? price.excl_vat : 0);

function speak(chosen) {
  language = chosen;
  t = TEXTS[language];
  document.documentElement.lang = language;
  document.title = t.terminal;
  $("code").alt = t.code;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = t[one.dataset.text];
  for (const one of document.querySelectorAll(".language")) one.setAttribute("aria-pressed", one.lang === language);
}

// -- what the provider knows -------------------------------------------------------------------------------

async function ask(path, body) {
  const post = body && { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(`/control/${path}`, { ...post, signal: AbortSignal.timeout(30_000) });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

async function look() {
  try {
    const [told, fresh] = await Promise.all([ask("state"), ask(`events?after=${events.at(-1)?.n ?? 0}`)]);
    const known = events.at(-1)?.n ?? 0;
    events = events.concat(fresh.filter((one) => one.n > known && TOLD.includes(one.what)));
    state = told;
    $("lost").hidden = true;
    draw();
  } catch {
    $("lost").hidden = false;
  }
}

function outlets() {
  const served = new Set(Object.values(state.terminals).flatMap((one) => [...(one.location_ids || []), ...(one.evse_uids || [])]));
  const evses = Object.values(state.locations).flatMap((area) => (area.evses || []).map((evse) => ({ area, evse })));
  return evses
    .filter(({ area, evse }) => evse.status !== "REMOVED" && (served.has(area.id) || served.has(evse.uid)))
    .flatMap(({ area, evse }) => evse.connectors.map((connector) => ({ area, evse, connector })))
    .sort((one, other) => areaName(one).localeCompare(areaName(other)));
}

const sessionOf = (reference) => Object.values(state.sessions).findLast((one) => one.authorization_reference === reference);
const stopOf = (reference) =>
  Object.values(state.command_results).findLast((one) => one.command === "STOP_SESSION" && one.authorization_reference === reference);
const address = ({ area, evse, connector }) => `#pay/${[area.id, evse.uid, connector.id].map(encodeURIComponent).join("/")}`;

/** The reference of the payment that charges there now. */
function running({ evse, connector }) {
  const here = Object.values(state.sessions).findLast((one) => one.evse_uid === evse.uid && one.connector_id === connector.id);
  return here && LIVE.includes(here.status) && state.holds[here.authorization_reference]?.state === "HELD" ? here.authorization_reference : "";
}

function tariffOf({ connector }) {
  const ids = (connector.tariff_ids || []).map((id) => id.toUpperCase());
  return Object.values(state.tariffs).find((one) => ids.includes(one.id.toUpperCase()));
}

// -- pages -------------------------------------------------------------------------------------------------

/** What is to do now: a sentence, a sign, and the buttons for it. */
function show(view, { step = 0, headline, hint = "", sign = "", look = "", tap = false, stop = "", again = "", back = "" }) {
  document.querySelector(".glass").dataset.view = view;
  document.querySelector("main").className = look;
  // Written only when it changes: a screen reader says it then.
  for (const [id, text] of [["headline", headline], ["hint", hint], ["sign", sign]]) if ($(id).textContent !== text) $(id).textContent = text;
  [...$("steps").children].forEach((one, place) => (one.className = place < step ? "done" : place === step ? "now" : ""));
  document.querySelectorAll(".lights i").forEach((one, place) => (one.className = look === "bad" || place < (tap ? 1 : sign ? 4 : 0) ? "on" : ""));
  $("tap").disabled = !tap;
  $("stop").hidden = !stop;
  $("stop").disabled = stop === "wait";
  for (const [id, text] of [["again", again], ["back", back]]) {
    $(id).hidden = !text;
    $(id).textContent = text;
  }
}

function draw() {
  if (!state) return show("wait", { headline: t.loading, sign: "…" });
  const [page, ...ids] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (page === "session") drawSession(ids[0]);
  else if (page === "pay") drawPay(outlets().find((one) => one.area.id === ids[0] && one.evse.uid === ids[1] && one.connector.id === ids[2]));
  else drawChoice();
  drawEvents(page === "session" ? ids[0] : "");
}

const areaName = ({ area }) => area.name || area.city;
const connectorName = ({ evse }) => say(t.connector, { number: evse.physical_reference || evse.evse_id || evse.uid });

function drawChoice() {
  const found = outlets();
  if (!found.length) return show("wait", { headline: t.noOutlet, hint: t.noOutletHint, sign: "!", look: "bad" });
  show("choose", { headline: t.choose, hint: t.chooseHint });
  const rows = found.map((outlet) => {
    const reference = running(outlet), { connector, evse } = outlet;
    const power = connector.max_electric_power ? `, ${number(connector.max_electric_power / 1000, 0)} kW ${connector.power_type.slice(0, 2)}` : "";
    const status = reference ? t.yours : evse.status === "AVAILABLE" ? t.free : t[evse.status] || t.UNKNOWN;
    const tone = reference ? "busy" : evse.status === "AVAILABLE" ? "free" : "";
    return { to: reference ? `#session/${encodeURIComponent(reference)}` : address(outlet), name: connectorName(outlet), place: areaName(outlet) + power, status, tone };
  });
  // Drawn again only when something changed: a finger or the keyboard may be on a button.
  const drawn = JSON.stringify(rows);
  if ($("outlets").dataset.drawn === drawn) return;
  $("outlets").dataset.drawn = drawn;
  $("outlets").replaceChildren(...rows.map((row) => {
    const button = element("button", "", element("b", "", row.name), element("span", `status ${row.tone}`, row.status), element("span", "quiet", row.place));
    button.addEventListener("click", () => (location.hash = row.to));
    return element("li", "", button);
  }));
}

function drawPay(outlet) {
  if (!outlet) return location.replace("#");
  if (isChecking) return show("wait", { step: 1, headline: t.checking, hint: t.checkingHint, sign: "…" });
  if (refusal) return drawFailure(refusal, t.nothingPaid);
  const tariff = tariffOf(outlet), limit = tariff?.max_price?.incl_vat;
  if (!limit) return show("wait", { headline: t.noTariff, hint: t.noTariffHint, sign: "✕", look: "bad", back: t.back });
  show("pay", { step: 1, headline: t.pay, hint: `${connectorName(outlet)}, ${areaName(outlet)}`, tap: true, back: t.back });
  const texts = tariff.tariff_alt_text || [];
  $("price").textContent = (texts.find((one) => one.language === language) || texts[0])?.text ?? "";
  $("amount").textContent = money(limit, tariff.currency);
}

function drawFailure(kind, nothing) {
  show("wait", { step: 1, headline: t[kind], hint: say(t[`${kind}Hint`], { nothing }), sign: "✕", look: "bad", again: t.retry, back: t.back });
}

const kindOf = (reason) =>
  /OCCUPIED|RESERV/.test(reason) ? "OCCUPIED" : /INOPERATIVE|TIMEOUT/.test(reason) ? "OFFLINE" : /INVALID/.test(reason) ? "UNPLUGGED" : "REFUSED";

function drawSession(reference) {
  const hold = state.holds[reference], session = sessionOf(reference), capture = state.captures[reference];
  if (!hold) return show("wait", { headline: t.UNKNOWN_PAYMENT, hint: t.UNKNOWN_PAYMENTHint, sign: "?", look: "bad", back: t.back });
  if (capture) return drawReceipt(hold, session, capture);
  if (hold.state === "RELEASED") return drawFailure(kindOf(hold.reason || ""), t.nothingBlocked);
  const amount = money(hold.amount, hold.currency);
  if (!session || session.status === "PENDING") {
    return show("wait", { step: 2, headline: t.plug, hint: say(t.plugHint, { amount }), sign: "⚡", look: "plug", back: t.home });
  }
  drawMeter(hold, session, amount);
  if (!LIVE.includes(session.status)) return show("charging", { step: 3, headline: t.settling, hint: t.settlingHint, sign: "✓" });
  const asked = stopOf(reference);
  const isFailed = asked && [asked.response, asked.result].some((one) => one && one !== "ACCEPTED");
  if (asked && !isFailed) return show("charging", { step: 2, headline: t.stopping, hint: t.checkingHint, sign: "…", stop: "wait" });
  show("charging", { step: 2, headline: t.charging, hint: isFailed ? t.cannotStop : t.chargingHint, sign: "⚡", stop: "yes", back: t.home });
}

function drawMeter(hold, session, amount) {
  const cost = gross(session.total_cost);
  $("cost").textContent = money(cost, session.currency);
  $("spent").style.width = `${Math.min(100, (100 * cost) / hold.amount)}%`;
  $("ofBlocked").textContent = say(t.ofBlocked, { amount });
  $("energy").textContent = `${number(session.kwh, 2)} kWh`;
  const end = session.end_date_time ? new Date(session.end_date_time) : new Date();
  const seconds = Math.max(0, Math.round((end - new Date(session.start_date_time)) / 1000));
  $("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}

function drawReceipt(hold, session, capture) {
  const reference = hold.authorization_reference;
  if (capture.outcome === "FAILED") {
    show("paid", { step: 3, headline: t.FAILED, hint: t.FAILEDHint, sign: "✕", look: "bad", again: t.again });
  } else {
    const isLimit = capture.amount >= NEARLY_USED_UP * hold.amount && !stopOf(reference);
    const hint = isLimit ? t.limitHint : t.paidHint;
    show("paid", { step: 4, headline: t.paid, hint, sign: "✓", again: t.again });
  }
  $("captured").textContent = money(capture.amount, capture.currency);
  const rows = [
    [t.energy, session ? `${number(session.kwh, 3)} kWh` : "–"],
    [t.blocked, money(hold.amount, hold.currency)],
    [t.freed, money(hold.amount - capture.amount, hold.currency)],
    [t.cardUsed, `${hold.card.scheme} ${hold.card.masked_number.slice(-4)}`],
    [t.reference, reference],
  ];
  $("receipt").replaceChildren(...rows.map(([term, text]) => element("div", "", element("dt", "", term), element("dd", "", text))));
  drawInvoice(state.terminals[hold.terminal_id], reference);
}

function drawInvoice(terminal, reference) {
  const base = terminal?.invoice_creator === "CPO" && terminal.invoice_base_url;
  $("invoice").hidden = !base;
  if (!base) return;
  const url = base.replace(/\/?$/, "/") + encodeURIComponent(reference);
  const code = `/terminal/qr.svg?text=${encodeURIComponent(url)}`;
  $("invoice").href = `${url}?lang=${language}`;
  if ($("code").getAttribute("src") !== code) $("code").src = code;
}

// -- behind the screen -------------------------------------------------------------------------------------

function drawEvents(reference) {
  const hold = state.holds[reference];
  const told = events.filter((one) => hold && one.authorization_reference === reference);
  // Of the many that tell how a session goes on, the newest.
  const shown = told.filter((one, place) => one.what !== "session" || told[place + 1]?.what !== "session");
  $("nothing").hidden = shown.length > 0;
  $("events").replaceChildren(...shown.reverse().map((one) => {
    const amount = (value) => value !== undefined && money(String(value).replace(/[^\d.]/g, ""), hold.currency);
    const text = say(t[one.what], { ...one, amount: amount(one.amount), total: amount(one.total ?? 0) });
    const who = one.direction === "in" ? `Plugtill → ${t.provider}` : one.direction === "out" ? `${t.provider} → Plugtill` : t.provider;
    const at = new Date(one.at).toLocaleTimeString(t.locale);
    return element("li", one.direction === "in" ? "ours" : "", element("small", "", `${at}  ${who}`), text);
  }));
}

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

// -- what a driver does ------------------------------------------------------------------------------------

async function tap() {
  const [location_id, evse_uid, connector_id] = location.hash.slice(1).split("/").slice(1).map(decodeURIComponent);
  const card = document.querySelector("[name=card]:checked").value;
  isChecking = true;
  scrollTo(0, 0);
  draw();
  try {
    const told = await ask("tap", { location_id, evse_uid, connector_id, [card]: true });
    if (told.response === "ACCEPTED") history.replaceState(null, "", `#session/${encodeURIComponent(told.authorization_reference)}`);
    else refusal = told.response === "DECLINED" ? "DECLINED" : kindOf(told.response || "");
  } catch {
    refusal = "REFUSED";
  }
  isChecking = false;
  await look();
}

function again() {
  const [page, reference] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const hold = page === "session" && state.holds[reference];
  refusal = "";
  if (hold && !state.captures[reference]) location.replace(address({ area: { id: hold.location_id }, evse: { uid: hold.evse_uid }, connector: { id: hold.connector_id } }));
  else if (hold) location.hash = "";
  draw();
}

$("tap").addEventListener("click", tap);
$("again").addEventListener("click", again);
$("back").addEventListener("click", () => (location.hash = ""));
$("stop").addEventListener("click", async () => {
  $("stop").disabled = true;
  const [, reference] = location.hash.slice(1).split("/").map(decodeURIComponent);
  await ask("stop", { authorization_reference: reference }).catch(() => {});
  await look();
});
for (const one of document.querySelectorAll(".language")) {
  one.addEventListener("click", () => {
    localStorage.setItem("language", one.lang);
    speak(one.lang);
    draw();
  });
}
addEventListener("hashchange", () => {
  refusal = "";
  scrollTo(0, 0);
  draw();
});

speak(language);
draw();
ask("pull", {}).catch(() => {});
(async function forever() {
  await look();
  setTimeout(forever, POLL);
})();
