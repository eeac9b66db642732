// Numbers and times as people read them. Pure.

const SI = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const BINARY = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];
const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
export const MISSING = "–";

/** Three digits that count, without a tail of zeros. */
export function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100) return value.toFixed(0);
  if (size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

/** A value and its unit as words: [number, unit]. What is no number is missing, not zero. */
export function humanised(value, unit, now = Date.now() / 1000) {
  if (!Number.isFinite(value)) return [MISSING, ""];
  switch (unit) {
    case "percent": return [percent(value * 100), "%"];
    case "s": return span(value);
    case "moment": return [ago(now - value), ""];
    case "B": return scaled(value, BINARY, "B");
    case "B/s": return scaled(value, BINARY, "B").map((word, place) => (place ? word + "/s" : word));
    case "C": return [value.toFixed(0), "°C"];
    case "count": return Number.isInteger(value) && Math.abs(value) < 1e4 ? [String(value), ""] : prefixed(value, "");
    case "number": return [Math.abs(value) < 1000 ? String(Number(value.toFixed(2))) : prefixed(value, "").join(" "), ""];
    default: return prefixed(value, unit);
  }
}

/** The same in one piece. */
export const text = (value, unit) => humanised(value, unit).join(" ").trim();

// What is not quite whole is never rounded up to it, nor what is not quite nothing down to nothing.
function percent(value) {
  const size = Math.abs(value);
  if (value > 99 && value < 100) return String(Math.floor(value * 1000) / 1000);
  if (size > 0 && size < 0.001) return value < 0 ? "-0.001" : "<0.001";
  return size < 1 ? String(Number(value.toPrecision(2))) : String(Number(value.toFixed(1)));
}

function span(value) {
  const size = Math.abs(value);
  if (size === 0) return ["0", "s"];
  if (size < 0.001) return [digits(value * 1e6), "µs"];
  if (size < 1) return [digits(value * 1e3), "ms"];
  if (size < 100) return [digits(value), "s"];
  return [(value < 0 ? "-" : "") + long(size), ""];
}

// The two largest parts: 3 d 4 h, 5 min 12 s.
function long(seconds) {
  let left = Math.round(seconds);
  const parts = SPANS.map(([size, name]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return [count, name];
  });
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(" ")).join(" ");
}

/** So many seconds, as a distance from now. */
export function ago(seconds) {
  if (Math.abs(seconds) < 2) return "now";
  const size = Math.abs(seconds);
  const words = size < 60 ? `${Math.round(size)} s` : size < 3600 ? `${Math.floor(size / 60)} min` : long(Math.floor(size / 60) * 60);
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

function scaled(value, steps, unit) {
  const step = steps.find(([size]) => Math.abs(value) >= size);
  return step ? [digits(value / step[0]), step[1]] : [digits(value), unit];
}

function prefixed(value, unit) {
  const step = SI.find(([size]) => Math.abs(value) >= size && Math.abs(value) >= 1e4);
  return step ? [digits(value / step[0]), `${step[1]}${unit ? " " + unit : ""}`] : [digits(value), unit];
}

const pad = (number) => String(number).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** A moment in the reader's own time: the clock, with the day where it is not today. */
export function moment(seconds, withSeconds = true) {
  const at = new Date(seconds * 1000);
  const clock = `${pad(at.getHours())}:${pad(at.getMinutes())}${withSeconds ? ":" + pad(at.getSeconds()) : ""}`;
  return at.toDateString() === new Date().toDateString() ? clock : `${day(at)} ${clock}`;
}

/** What stands under an axis of time whose marks are `step` seconds apart. */
export function tick(seconds, step) {
  const at = new Date(seconds * 1000);
  const midnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0;
  if (step >= 86400 || midnight) return day(at);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}${step < 60 ? ":" + pad(at.getSeconds()) : ""}`;
}

const day = (at) => `${at.getDate()} ${MONTHS[at.getMonth()]}`;

/** The tone of a value, by its panel's states or limits; "" where nobody said what is good. */
export function tone(value, panel) {
  if (!Number.isFinite(value)) return "none";
  const state = stateOf(value, panel);
  if (state) return state[1];
  if (panel.states) return "none";
  if (!panel.thresholds) return "";
  const { warn, bad } = panel.thresholds;
  if (bad < warn) return value < bad ? "bad" : value < warn ? "warn" : "good";
  return value >= bad ? "bad" : value >= warn ? "warn" : "good";
}

/** [value, tone, word] of a value; of states it is the greatest that it has reached. */
export const stateOf = (value, panel) =>
  (panel.states || []).reduce((found, state) => (value >= state[0] && (!found || state[0] >= found[0]) ? state : found), null);

/** A series' name, from its labels. */
export function named(legend, labels) {
  if (legend) return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_all, name) => labels[name] ?? "").trim();
  return Object.entries(labels).filter(([name]) => name !== "__name__").map((pair) => pair.join("=")).join(" ");
}
