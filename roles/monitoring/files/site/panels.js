// Everything that is drawn without a chart: numbers, bars, tables, states over time, and what to say when there is nothing.

import { now } from "./data.js";
import { drawn, element, sign } from "./element.js";
import { humanised, moment, named, stateOf, text, tone } from "./format.js";

const MOST_ROWS = 60;

/** A value with its sign, number and unit; a state's word where states have words. */
function value(number, panel, unit) {
  const state = stateOf(number, panel);
  const own = tone(number, panel);
  const title = unit === "moment" && Number.isFinite(number) ? moment(number) : null;
  const [digits, word] = state ? [state[2], ""] : humanised(number, unit, now());
  const shown = element("span", { class: `value ${own}`, title }, sign(own), element("b", {}, digits), word ? element("i", {}, word) : null);
  return shown;
}

/** [{labels, value, query}] of all queries, in the order of names. */
function rows(panel, answers) {
  const found = panel.queries.flatMap((query, place) =>
    answers[place].map((each) => ({ ...each, query, name: named(query.legend, each.labels) })));
  return panel.kind === "bars" && panel.queries.length === 1 && panel.queries[0].expr.startsWith("topk")
    ? found.sort((one, other) => other.value - one.value)
    : found.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

const cut = (list) => (list.length > MOST_ROWS
  ? element("p", { class: "soft" }, `${MOST_ROWS} of ${list.length} are shown: choose a pool or a host`) : null);

/** Numbers, the only one large. */
export function stat(body, panel, answers) {
  const found = rows(panel, answers);
  const list = element("dl", { class: found.length === 1 ? "stat alone" : "stat" },
    found.slice(0, MOST_ROWS).map((each) => element("div", {},
      element("dt", { title: each.name }, each.name), element("dd", {}, value(each.value, { ...panel, ...each.query }, each.query.unit || panel.unit)))));
  body.replaceChildren(list, ...[cut(found)].filter(Boolean));
}

/** Numbers with a bar each, all against the same end. */
export function bars(body, panel, answers) {
  const found = rows(panel, answers);
  const end = panel.max || Math.max(...found.map((each) => each.value).filter(Number.isFinite), 0) || 1;
  const list = element("dl", { class: "bars" }, found.slice(0, MOST_ROWS).map((each) => {
    const fill = element("span", { class: `fill ${tone(each.value, panel)}` });
    const share = Number.isFinite(each.value) ? Math.min(1, Math.max(0, each.value / end)) : 0;
    fill.style.width = `${share * 100}%`;
    return element("div", {}, element("dt", { title: each.name }, each.name),
      element("dd", {}, element("span", { class: "track", "aria-hidden": "true" }, fill), value(each.value, panel, panel.unit)));
  }));
  body.replaceChildren(list, ...[cut(found)].filter(Boolean));
}

/** A row for each set of labels, a column for each query. */
export function table(body, panel, answers) {
  const lines = new Map();
  answers.forEach((answer, place) => answer.forEach((each) => {
    const cells = panel.columns.map((label) => each.labels[label] ?? "");
    const key = JSON.stringify(cells);
    if (!lines.has(key)) lines.set(key, { cells, values: new Array(answers.length).fill(null) });
    lines.get(key).values[place] = each.value;
  }));
  const sorted = [...lines.values()].sort((one, other) =>
    one.cells.join("\n").localeCompare(other.cells.join("\n"), "en", { numeric: true }));
  const head = element("tr", {}, panel.columns.map((label) => element("th", { scope: "col" }, label)),
    panel.queries.map((query) => element("th", { scope: "col", class: "number" }, query.legend)));
  const filled = sorted.slice(0, MOST_ROWS).map((line) => element("tr", {},
    line.cells.map((cell, place) => element(place ? "td" : "th", place ? {} : { scope: "row" }, cell)),
    line.values.map((each, place) => element("td", { class: "number" }, each === null
      ? element("span", { class: "value none" }, element("b", {}, "–"))
      : value(each, { ...panel, ...panel.queries[place] }, panel.queries[place].unit || panel.unit)))));
  const wide = element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": panel.title },
    element("table", {}, element("thead", {}, head), element("tbody", {}, filled)));
  body.replaceChildren(wide, ...[cut(sorted)].filter(Boolean));
}

/** States over time: a strip for each series, empty where nothing is known. */
export function timeline(body, panel, series, range) {
  const strips = series.slice(0, MOST_ROWS).map((each) => {
    const now = each.values[each.values.length - 1] ?? NaN;
    const state = stateOf(now, panel);
    const word = state ? state[2] : "no data";
    return element("div", { class: "strip" }, element("span", { class: "name", title: each.name }, each.name),
      strip(each, panel, range), element("span", { class: `value ${tone(now, panel)}` }, sign(tone(now, panel)), element("b", {}, word)));
  });
  const axis = element("div", { class: "strip soft" }, element("span", {}),
    element("span", { class: "ends" }, element("span", {}, moment(range.start, false)), element("span", {}, moment(range.end, false))), element("span", {}));
  const key = element("p", { class: "key soft" }, panel.states.map(([, own, word]) =>
    element("span", {}, element("span", { class: `patch ${own}`, "aria-hidden": "true" }), word)),
    element("span", {}, element("span", { class: "patch gap", "aria-hidden": "true" }), "no data"));
  body.replaceChildren(element("div", { class: "timeline" }, strips, axis), key);
}

function strip(each, panel, range) {
  const count = each.values.length;
  const parts = pieces(each.values).map(({ from, to, value: number }) => {
    const state = stateOf(number, panel);
    const words = `${state ? state[2] : text(number, panel.unit)}, ${moment(range.start + from * range.step)} to ${moment(range.start + Math.min(to, count - 1) * range.step)}`;
    return drawn("rect", { x: from, y: 0, width: to - from, height: 1, class: `state ${tone(number, panel)}` }, drawn("title", {}, words));
  });
  const label = `${each.name}: ${parts.length} states in this time`;
  return drawn("svg", { viewBox: `0 0 ${count} 1`, preserveAspectRatio: "none", role: "img", "aria-label": label }, parts);
}

// Neighbours with the same value, each from its own sample to the next.
function pieces(values) {
  const found = [];
  values.forEach((value, place) => {
    const before = found[found.length - 1];
    if (value === null) return;
    if (before && before.value === value && before.to === place) before.to = place + 1;
    else found.push({ from: place, to: place + 1, value });
  });
  return found;
}

/** Why there may be nothing. */
export function nothing(panel, needs, chosen) {
  if (panel.without) return `No data. This needs ${needs[panel.without].about}.`;
  const choice = chosen ? ", or not for this choice of pool and host" : "";
  return `No data. What would tell this may be down, not installed, or not used yet${choice}.`;
}

export const said = (words, own) => element("p", { class: `said ${own}` }, sign(own), words);
