// Lines over time, drawn by uPlot, with a legend of ours that says the last values.

import { times } from "./data.js";
import { element } from "./element.js";
import { MISSING, humanised, moment, text, tick } from "./format.js";

const COLOURS = 8;
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
const MOST = 40;
const HEIGHT = 190;
const POWERS = Array.from({ length: 50 }, (_none, power) => 2 ** power);

const styles = () => getComputedStyle(document.documentElement);
const colour = (name) => styles().getPropertyValue(name).trim();

/** Draw `series` ([{name, values, unit}]) over `range` into `body`; `panel.hidden` keeps what the reader has switched off. */
export function chart(body, panel, series, range, markers) {
  const shown = series.slice(0, MOST);
  panel.plot?.destroy();
  const box = element("div", { class: "plot", role: "img", "aria-label": described(panel, shown) });
  const legend = new Legend(panel, shown, range, series.length);
  body.replaceChildren(box, legend.table);
  const at = times(range);
  const width = Math.max(120, box.clientWidth);
  panel.plot = new uPlot(options(panel, shown, range, markers, legend, width), [at, ...shown.map((each) => each.values)], box);
  panel.resized ??= new ResizeObserver(([entry]) => {
    const wanted = Math.floor(entry.contentRect.width);
    if (panel.plot && wanted > 0 && wanted !== panel.plot.width) panel.plot.setSize({ width: wanted, height: HEIGHT });
  });
  panel.resized.disconnect();
  panel.resized.observe(box);
}

const described = (panel, series) =>
  `${panel.title}. ${series.slice(0, 8).map((each) => `${each.name} ${text(last(each.values).value, panel.unit)}`).join(", ")}`;

function options(panel, series, range, markers, legend, width) {
  const ink = colour("--soft");
  const grid = { stroke: colour("--grid"), width: 1 };
  const axis = { stroke: ink, grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { drag: { x: false, y: false }, y: false, sync: { key: "board", setSeries: false }, points: { size: 6 } },
    scales: { x: { time: true, range: () => [range.start, range.end] }, y: { range: (_u, low, high) => reach(panel, low, high) } },
    axes: [
      { ...axis, size: 26, values: (_u, splits, _axis, _space, step) => splits.map((each) => tick(each, step)) },
      {
        ...axis,
        size: 62,
        incrs: panel.unit.startsWith("B") ? POWERS : undefined,
        values: (_u, splits) => splits.map((each) => text(each, panel.unit === "moment" ? "s" : panel.unit)),
      },
    ],
    series: [{}, ...series.map((each, place) => line(each, place, panel))],
    hooks: {
      drawClear: [(plot) => draw(plot, markers)],
      setCursor: [(plot) => legend.point(plot.cursor.idx, plot.data[0])],
    },
  };
}

function line(each, place, panel) {
  return {
    label: each.name,
    show: !panel.hidden.has(each.name),
    stroke: colour(`--c${place % COLOURS}`),
    dash: DASHES[Math.floor(place / COLOURS) % DASHES.length],
    width: 1.5,
    // Only a sample without neighbours needs a point: a line has two ends.
    points: { show: false, size: 4, filter: (plot, index) => lonely(plot.data[index]) },
  };
}

const lonely = (values) =>
  values.flatMap((value, place) => (value !== null && values[place - 1] == null && values[place + 1] == null ? [place] : []));

// From nothing, unless something is below it: a line that has been cut off below lies about its changes.
function reach(panel, low, high) {
  const top = Number.isFinite(high) && high !== null ? high : 0;
  const bottom = low < 0 ? low * 1.1 : 0;
  if (panel.max && top <= panel.max) return [bottom, panel.max];
  if (top <= 0) return [bottom, bottom < 0 ? 0 : panel.unit === "percent" ? 0.01 : 1];
  return [bottom, top * 1.1];
}

function draw(plot, markers) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const marker of markers) {
    const right = bbox.left + bbox.width;
    const end = marker.ended === null ? right : Math.min(right, plot.valToPos(marker.ended, "x", true));
    const from = Math.max(bbox.left, plot.valToPos(marker.began, "x", true));
    ctx.fillStyle = colour(marker.tone === "bad" ? "--bad" : "--marker");
    ctx.globalAlpha = 0.12;
    ctx.fillRect(from, bbox.top, Math.max(0, end - from), bbox.height);
    ctx.globalAlpha = 0.9;
    if (marker.ended !== null) ctx.fillRect(end - 1, bbox.top, 2, bbox.height);
  }
  ctx.restore();
}

function last(values) {
  for (let place = values.length - 1; place >= 0; place -= 1) {
    if (values[place] !== null) return { value: values[place], place };
  }
  return { value: NaN, place: -1 };
}

/** Which line is whose, with its value at the cursor, or else its last. */
class Legend {
  constructor(panel, series, range, all) {
    this.series = series;
    this.panel = panel;
    this.range = range;
    this.cells = series.map(() => element("span", { class: "number" }));
    const rows = series.map((each, place) => element("li", {}, this.button(each, place), this.cells[place]));
    this.when = element("p", { class: "when soft" });
    const more = all > series.length ? element("p", { class: "soft" }, `${series.length} of ${all} lines are drawn: choose a pool or a host`) : null;
    this.table = element("div", { class: "legend", role: "group", "aria-label": `Lines of ${panel.title}` }, this.when,
      element("ul", { tabindex: series.length > 12 ? 0 : null }, rows), more);
    this.point(null);
  }

  button(each, place) {
    const swatch = element("span", { class: `swatch c${place % COLOURS} d${Math.floor(place / COLOURS) % DASHES.length}`, "aria-hidden": "true" });
    const button = element("button", { type: "button", class: "line", "aria-pressed": !this.panel.hidden.has(each.name), title: each.name }, swatch, each.name);
    button.addEventListener("click", () => {
      const hide = !this.panel.hidden.delete(each.name);
      if (hide) this.panel.hidden.add(each.name);
      button.setAttribute("aria-pressed", String(!hide));
      this.panel.plot.setSeries(place + 1, { show: !hide });
    });
    return button;
  }

  point(index, at = null) {
    const there = index !== null && index !== undefined;
    this.when.textContent = there ? moment(at[index]) : "last value";
    this.series.forEach((each, place) => {
      const found = there ? { value: each.values[index] ?? NaN, place: index } : last(each.values);
      const old = !there && found.place >= 0 && found.place < each.values.length - 3;
      const [number, unit] = humanised(found.value, this.panel.unit);
      const cell = this.cells[place];
      cell.classList.toggle("old", old || number === MISSING);
      cell.title = old ? `last seen ${moment(this.range.start + found.place * this.range.step)}` : "";
      cell.textContent = `${old ? "was " : ""}${number} ${unit}`.trim();
    });
  }
}
