// What Prometheus says, asked on the same origin. Whoever asks learns what is wrong in words.

const AT_ONCE = 4;
const PATIENCE_MS = 15000;
const POINTS = 240;
const waiting = [];
let running = 0;
let ahead = 0;

/** Prometheus could not be asked, or did not understand. The message is for people. */
export class Failure extends Error {}

/** Seconds since 1970 by the host's clock: the reader's may be wrong, and every sample would look old. */
export const now = () => Date.now() / 1000 + ahead;

/** Learn the host's time from its answer. */
export function heard(answer) {
  const told = Date.parse(answer.headers.get("date")) - Date.now();
  // The header has whole seconds, and an answer takes its time.
  if (Number.isFinite(told)) ahead = Math.abs(told) > 3000 ? told / 1000 : 0;
}

function begin() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift()().finally(() => {
      running -= 1;
      begin();
    });
  }
}

// A few at a time: a board asks forty questions, and must not look like an attack.
function inTurn(work) {
  return new Promise((resolve, reject) => {
    waiting.push(() => work().then(resolve, reject));
    begin();
  });
}

async function fetched(path, parameters, signal) {
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(), PATIENCE_MS);
  const stop = () => own.abort();
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) own.abort();
  try {
    const asked = new URLSearchParams(parameters).toString();
    const answer = await fetch(`api/v1/${path}${asked ? "?" + asked : ""}`, { signal: own.signal, cache: "no-store" });
    heard(answer);
    let told = null;
    try {
      told = await answer.json();
    } catch (_notJson) {
      // A proxy's error page; its status says more.
    }
    if (told?.status === "success") return told.data;
    throw new Failure(told?.error ? String(told.error).slice(0, 300) : meant(answer.status));
  } catch (error) {
    if (error instanceof Failure || signal?.aborted) throw error;
    throw new Failure(own.signal.aborted ? `no answer within ${PATIENCE_MS / 1000} s` : "this host does not answer");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function meant(status) {
  if (status === 429) return "too many questions at once; asked again at the next refresh";
  if (status === 401 || status === 403) return "this page may not ask Prometheus (HTTP " + status + ")";
  if (status >= 502 && status <= 504) return "no Prometheus server answers (HTTP " + status + ")";
  return "an answer that cannot be read (HTTP " + status + ")";
}

/** One question. Raises Failure; an AbortError when `signal` says so. */
export const ask = (path, parameters = {}, signal = undefined) => inTurn(() => fetched(path, parameters, signal));

/** The times of a range: its step is as fine as the samples, and no finer than a screen can show. */
export function span(seconds, interval, at = now()) {
  const step = Math.max(interval, Math.ceil(seconds / POINTS / interval) * interval);
  // On a grid, so that a refresh moves the points on and does not choose others; a coarse one would hide the last minutes.
  const grid = Math.min(step, Math.max(interval, 60));
  const end = Math.floor(at / grid) * grid;
  const start = end - Math.floor(seconds / step) * step;
  return { start, end, step, window: Math.max(4 * interval, step + interval, 60) };
}

// A label's value inside a regular expression, inside a string of PromQL.
const escaped = (value) =>
  value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");

/** An expression with what the reader chose; nothing chosen matches everything. */
export function filled(expr, choice, window) {
  return expr.replace(/\$(\w+)/g, (_all, name) => {
    if (name === "window") return `${window}s`;
    return choice[name] ? escaped(choice[name]) : ".*";
  });
}

/** [{labels, value}] now. */
export async function instant(expr, choice, window, signal) {
  const data = await ask("query", { query: filled(expr, choice, window) }, signal);
  if (data.resultType === "scalar") return [{ labels: {}, value: Number(data.result[1]) }];
  return data.result.map((each) => ({ labels: each.metric, value: Number(each.value[1]) }));
}

/** [{labels, values}] over a range, a value for each of `times`; null where there was none. */
export async function ranged(expr, choice, range, signal) {
  const { start, end, step, window } = range;
  const data = await ask("query_range", { query: filled(expr, choice, window), start, end, step }, signal);
  const count = Math.round((end - start) / step) + 1;
  return data.result.map((each) => {
    const values = new Array(count).fill(null);
    for (const [at, said] of each.values) {
      const value = Number(said);
      if (Number.isFinite(value)) values[Math.round((at - start) / step)] = value;
    }
    return { labels: each.metric, values };
  });
}

/** The times that go with `ranged`. */
export const times = ({ start, end, step }) =>
  Array.from({ length: Math.round((end - start) / step) + 1 }, (_none, place) => start + place * step);
