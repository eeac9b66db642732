// The page: which board, what was chosen, and everything asked anew at each refresh.

import { chart } from "./chart.js";
import { Failure, ask, heard, instant, now, ranged, span } from "./data.js";
import { element, sign } from "./element.js";
import { ago, moment, named } from "./format.js";
import { bars, nothing, said, stat, table, timeline } from "./panels.js";

const RANGES = { "15m": ["15 minutes", 900], "1h": ["1 hour", 3600], "6h": ["6 hours", 21600], "24h": ["24 hours", 86400], "7d": ["7 days", 604800] };
const OVER_TIME = ["timeseries", "timeline"];
const SEVERITIES = { critical: "bad", warning: "warn", info: "none" };
const MOST_ALERTS = 6;
// A sample is late after so many intervals.
const LATE = 4;
const WATCHDOG = "Watchdog";
const at = (id) => document.getElementById(id);

let spec = null;
let shown = null;
let round = new AbortController();
let timer = 0;
let paused = false;

// --- What was chosen stands in the address, so that it can be sent to somebody ---------------------------------------

function choice() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const given = new URLSearchParams(query);
  const board = spec.boards.find((each) => each.name === path) || spec.boards[0];
  const values = Object.fromEntries(spec.variables.map(({ name }) => [name, given.get(name) || ""]));
  return { board, values, range: RANGES[given.get("range")] ? given.get("range") : "1h" };
}

function address(board, values, range) {
  const given = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  given.set("range", range);
  return `#/${board}?${given}`;
}

function choose(changed) {
  const now = choice();
  location.hash = address(now.board.name, { ...now.values, ...changed.values }, changed.range || now.range);
}

// --- The frame --------------------------------------------------------------------------------------------------------

function frame() {
  const { board, values, range } = choice();
  at("nav").replaceChildren(...spec.boards.map((each) => element("a",
    { href: address(each.name, values, range), "aria-current": each === board ? "page" : null }, each.title)));
  at("nav").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  for (const select of at("controls").querySelectorAll("select")) {
    const wanted = select.name === "range" ? range : values[select.name];
    // A link may name what is no longer there; it is shown as it was asked for.
    if (![...select.options].some((option) => option.value === wanted)) select.append(element("option", { value: wanted }, wanted));
    select.value = wanted;
  }
}

function controls() {
  const field = (name, title, options, change) => element("label", {}, element("span", {}, title),
    element("select", { name, onchange: change }, options.map(([value, words]) => element("option", { value }, words))));
  const theme = element("button", { type: "button", onclick: () => retheme() }, "Dark or light");
  const pause = element("button", { type: "button", id: "pause", "aria-pressed": "false", onclick: () => repause() }, "Pause");
  at("controls").replaceChildren(
    field("range", "Last", Object.entries(RANGES).map(([key, [words]]) => [key, words]), (event) => choose({ range: event.target.value })),
    ...spec.variables.map(({ name, title }) => field(name, title, [["", "all"]], (event) => choose({ values: { [name]: event.target.value } }))),
    element("span", { class: "buttons" }, element("button", { type: "button", onclick: () => refresh() }, "Refresh"), pause, theme));
  at("controls").addEventListener("submit", (event) => event.preventDefault());
}

function repause() {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause").textContent = paused ? "Go on" : "Pause";
  if (paused) clearTimeout(timer);
  else refresh();
}

function retheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch (_refused) {
    // Then it lasts until the page is left.
  }
  shown?.panels.forEach((panel) => panel.last?.());
}

async function variables(signal) {
  await Promise.all(spec.variables.map(async ({ name, label, series }) => {
    const select = at("controls").querySelector(`select[name="${name}"]`);
    const found = await ask(`label/${label}/values`, { "match[]": series }, signal);
    const there = new Set([...select.options].map((option) => option.value));
    select.append(...found.filter((each) => !there.has(each)).map((each) => element("option", { value: each }, each)));
  }));
}

// --- A board ----------------------------------------------------------------------------------------------------------

function open() {
  const { board } = choice();
  frame();
  if (shown?.board !== board) {
    shown?.panels.forEach((panel) => {
      panel.plot?.destroy();
      panel.resized?.disconnect();
    });
    const panels = board.panels.map((each) => ({ ...each, hidden: new Set() }));
    shown = { board, panels };
    at("boards").replaceChildren(
      element("h2", {}, board.title), element("p", { class: "about" }, board.about),
      element("div", { class: "grid" }, panels.map(card)), element("div", { class: "marks soft", hidden: true }));
    document.title = `${board.title}: ${spec.title}`;
  }
  // What was drawn for another choice is not to be mistaken for this one when the answer does not come.
  shown.panels.forEach((panel) => {
    panel.asked = 0;
    panel.card.setAttribute("aria-busy", "true");
  });
  refresh();
}

function card(panel) {
  panel.body = element("div", { class: "body" }, element("p", { class: "said soft" }, "asking"));
  panel.note = element("p", { class: "note", role: "status" });
  panel.card = element("section", { class: `panel w${panel.width}`, "data-kind": panel.kind, "aria-label": panel.title, "aria-busy": "true", "data-state": "loading" },
    element("h3", {}, panel.title), element("p", { class: "help" }, panel.help), panel.body, panel.note);
  return panel.card;
}

async function fill(panel, values, range, markers, signal) {
  try {
    const over = OVER_TIME.includes(panel.kind);
    const answers = await Promise.all(panel.queries.map(({ expr }) =>
      (over ? ranged(expr, values, range, signal) : instant(expr, values, range.window, signal))));
    const marks = panel.kind === "timeseries" ? await markers : [];
    if (signal.aborted) return;
    if (answers.every((answer) => !answer.length)) await empty(panel, values, range, signal);
    else {
      panel.last = () => picture(panel, answers, range, marks);
      panel.last();
      panel.card.dataset.state = "data";
    }
    panel.asked = now();
    panel.note.textContent = "";
    panel.card.setAttribute("aria-busy", "false");
  } catch (error) {
    if (signal.aborted) return;
    failed(panel, error);
  }
}

function picture(panel, answers, range, marks) {
  if (!OVER_TIME.includes(panel.kind)) return { stat, bars, table }[panel.kind](panel.body, panel, answers);
  const series = answers.flatMap((answer, place) =>
    answer.map((each) => ({ name: named(panel.queries[place].legend, each.labels) || "value", values: each.values })));
  series.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
  return panel.kind === "timeline" ? timeline(panel.body, panel, series, range) : chart(panel.body, panel, series, range, marks);
}

async function empty(panel, values, range, signal) {
  const proved = panel.empty && (await instant(panel.empty.proof, values, range.window, signal)).length > 0;
  if (signal.aborted) return;
  panel.plot?.destroy();
  panel.plot = panel.last = null;
  panel.card.dataset.state = proved ? "data" : "empty";
  const words = proved ? panel.empty.says : nothing(panel, spec.needs, Object.values(values).some(Boolean));
  panel.body.replaceChildren(said(words, proved ? "good" : "none"));
}

// What was drawn before stays, marked as old: an old number that says so is worth more than none.
function failed(panel, error) {
  const words = error instanceof Failure ? error.message : `this page failed: ${error.message}`;
  panel.card.setAttribute("aria-busy", "false");
  panel.card.dataset.state = panel.asked ? "stale" : "error";
  if (panel.asked) panel.note.textContent = `As of ${moment(panel.asked)}; since then: ${words}`;
  else panel.body.replaceChildren(said(`Not known: ${words}`, "none"));
}

// --- Rollouts, on every line of time ----------------------------------------------------------------------------------

async function marked(values, range, signal) {
  if (!spec.markers.ended) return [];
  const { labels, run, outcome } = spec.markers;
  const [begun, ended] = await Promise.all(["began", "ended"].map((key) => ranged(spec.markers[key], values, range, signal)));
  const found = new Map();
  const mark = (each) => {
    const key = JSON.stringify([each.labels[run], ...labels.map((label) => each.labels[label])]);
    const name = labels.map((label) => each.labels[label] ?? "").join(" to ");
    if (!found.has(key)) found.set(key, { name, began: null, ended: null, outcome: "" });
    return found.get(key);
  };
  const said = (each) => each.values.find((value) => value !== null);
  begun.forEach((each) => { mark(each).began = said(each); });
  ended.forEach((each) => { Object.assign(mark(each), { ended: said(each), outcome: each.labels[outcome] ?? "" }); });
  return [...found.values()]
    .map((each) => ({ ...each, began: each.began ?? each.ended, tone: toneOf(each) }))
    .filter((each) => (each.ended ?? range.end) >= range.start && each.began <= range.end)
    .sort((one, other) => one.began - other.began);
}

const toneOf = ({ ended, outcome }) => (ended === null ? "calm" : outcome === "succeeded" ? "good" : "bad");

function tellMarks(marks) {
  const box = at("boards").querySelector(".marks");
  if (!box) return;
  box.hidden = !marks.length || !shown.panels.some((panel) => panel.kind === "timeseries");
  box.replaceChildren(element("h3", {}, `${spec.markers.title} in this time`), element("ul", {}, marks.slice(-20).reverse().map((mark) =>
    element("li", {}, sign(mark.tone), `${mark.name}: began ${moment(mark.began)}, ${mark.ended === null ? "not ended" : `${mark.outcome} ${moment(mark.ended)}`}`))));
}

// --- Alerts, and whether any of this is fresh -------------------------------------------------------------------------

async function alerts(signal) {
  const told = (await ask("alerts", {}, signal)).alerts.filter((each) => each.state === "firing");
  const watched = told.some((each) => each.labels.alertname === WATCHDOG);
  const firing = told.filter((each) => each.labels.alertname !== WATCHDOG);
  const rank = (each) => [...Object.keys(SEVERITIES)].indexOf(each.labels.severity) + 1 || 9;
  firing.sort((one, other) => rank(one) - rank(other) || (one.activeAt < other.activeAt ? 1 : -1));
  const box = at("alerts");
  box.hidden = !firing.length;
  const line = (list) => element("ul", {}, list.map(alertLine));
  const rest = firing.length > MOST_ALERTS ? element("details", {},
    element("summary", {}, `${firing.length - MOST_ALERTS} more`), line(firing.slice(MOST_ALERTS))) : null;
  const open = box.querySelector("details")?.open;
  box.replaceChildren(...[line(firing.slice(0, MOST_ALERTS)), rest].filter(Boolean));
  if (rest && open) rest.open = true;
  return { firing, watched };
}

function alertLine(each) {
  const { alertname = "", severity = "", instance, pool } = each.labels;
  const own = SEVERITIES[severity] || "none";
  const name = each.annotations?.runbook || alertname;
  const link = spec.runbooks && /^[\w-]+$/.test(name)
    ? element("a", { href: `${spec.runbooks}${name}`, rel: "noreferrer" }, "runbook") : null;
  const since = ago(now() - Date.parse(each.activeAt) / 1000);
  return element("li", { class: own }, element("b", { class: "severity" }, sign(own), severity || "alert"),
    element("span", { class: "words" }, element("b", {}, alertname), " ", each.annotations?.summary || ""),
    element("span", { class: "soft" }, [pool, instance].filter(Boolean).join(" ")), element("span", { class: "soft since" }, since), link);
}

async function verdict(signal) {
  try {
    const [{ firing, watched }, fresh] = await Promise.all([
      alerts(signal), instant("time() - max(timestamp(up))", {}, 60, signal)]);
    if (signal.aborted) return;
    const age = fresh.length ? fresh[0].value : NaN;
    const bad = firing.filter((each) => each.labels.severity === "critical").length;
    const warn = firing.filter((each) => each.labels.severity === "warning").length;
    if (!Number.isFinite(age)) judge("none", "Not known: Prometheus has no samples");
    else if (age > LATE * spec.interval + 10) judge("none", `Not known: the newest sample is from ${ago(age)}`);
    else if (bad) judge("bad", `${bad} critical ${bad > 1 ? "alerts" : "alert"}${warn ? `, ${warn} more` : ""}`);
    else if (warn) judge("warn", `${warn} ${warn > 1 ? "warnings" : "warning"}`);
    else if (!watched) judge("none", "Not known: no alert fires, not even the one that always should");
    else judge("good", firing.length ? `Nothing to act on, ${firing.length} for information` : "No alert fires");
    at("clock").textContent = `as of ${moment(now())}`;
  } catch (error) {
    if (signal.aborted) return;
    judge("none", `Not known: ${error.message}`);
    at("alerts").classList.add("old");
    return;
  }
  at("alerts").classList.remove("old");
}

function judge(own, words) {
  at("verdict").className = `verdict ${own}`;
  at("verdict").replaceChildren(sign(own), words);
}

// --- Time goes on -----------------------------------------------------------------------------------------------------

async function refresh() {
  clearTimeout(timer);
  round.abort();
  round = new AbortController();
  const { signal } = round;
  const { values, range: key } = choice();
  const seconds = RANGES[key][1];
  const range = span(seconds, spec.interval);
  const markers = marked(values, range, signal).catch(() => []);
  markers.then((marks) => signal.aborted || tellMarks(marks));
  await Promise.all([verdict(signal), variables(signal).catch(() => null),
    ...shown.panels.map((panel) => fill(panel, values, range, markers, signal))]);
  if (signal.aborted) return;
  document.body.dataset.state = "drawn";
  // Nobody sees a line of seven days move within a minute.
  if (!paused) timer = setTimeout(refresh, 1000 * Math.max(15, Math.min(60, range.step)));
}

async function main() {
  try {
    const answer = await fetch("boards.json", { cache: "no-cache" });
    heard(answer);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    spec = await answer.json();
  } catch (error) {
    judge("none", `Not known: boards.json cannot be read (${error.message})`);
    document.body.dataset.state = "drawn";
    return;
  }
  at("title").textContent = spec.title;
  controls();
  open();
  addEventListener("hashchange", open);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown.panels.forEach((panel) => panel.last?.()));
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : paused || refresh()));
}

main();
