"use strict";

// Draws the figures of the page from the data in it. Text is only ever set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 58, right: 22, top: 8, bottom: 38 };
const PADDING = 0.04; // of the range of y, above and below
const SHORTEST_DRAG = 6; // pixels
const KEY_STEPS = 60; // from one side of a chart to the other
const ROW_HEIGHT = 18; // pixels, as in page.css
const NARROWEST_NUMBER = 16; // pixels of a cell with its number in it
// Matplotlib's viridis, at equal distances.
const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
];
const COSINES = [[178, 24, 43], [247, 247, 247], [33, 102, 172]]; // from -1 to 1
const COPIES = [
  [0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0],
  [240, 228, 66], [136, 136, 136], [51, 34, 136], [170, 68, 153], [221, 204, 119], [17, 119, 51],
];

// Elements and numbers -----------------------------------------------------------

function addHtml(parent, name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function addSvg(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function addButton(parent, text, pressed, onPress) {
  const button = addHtml(parent, "button");
  button.type = "button";
  if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
  addHtml(button, "span", "", text);
  button.addEventListener("click", () => onPress(button));
  return button;
}

function styleClass(style) {
  return `color${style % 8} dash${Math.floor(style / 8) % 4}`;
}

function addSwatch(parent, style) {
  const svg = addSvg(parent, "svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" });
  addSvg(svg, "line", { class: `curve ${styleClass(style)}`, x1: 1, y1: 5, x2: 27, y2: 5 });
  return svg;
}

function showNumber(value) {
  if (value === null) return "no value";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 6 });

function showTick(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e15)) return value.toExponential(1);
  return COMPACT.format(value);
}

// Round numbers from `low` to `high`, about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough);
  const step = factor * power;
  const found = [];
  for (let number = Math.ceil(low / step); number * step <= high; number += 1) {
    found.push(Number((number * step).toPrecision(12)));
    if (found.length > 50) break;
  }
  return found;
}

// [lowest, highest] of what is a number; null where nothing is.
function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? null : [low, high];
}

// The place of the number in rising `values` that is nearest to `wanted`.
function nearest(values, wanted) {
  let best = 0;
  values.forEach((value, place) => {
    if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = place;
  });
  return best;
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

// Draws a chart, and again when the width of its element changes: it has none while what it is in
// is folded. That is done in the next frame, since drawing changes heights, of which an observer
// would have to be told at once.
function drawAtEveryWidth(chart, element) {
  let width = element.clientWidth;
  const observer = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    requestAnimationFrame(() => chart.draw());
  });
  observer.observe(element);
  chart.draw();
}

// Learning curves ----------------------------------------------------------------

class CurveChart {
  constructor(figure, data) {
    this.data = data;
    this.hidden = new Set();
    this.showsRuns = false;
    this.zoom = null; // {x: [low, high], y: [low, high] or null}
    this.cursor = null; // an x
    this.drag = null;
    this.makeControls(figure);
    this.plot = addHtml(figure, "div", "plot");
    const labels = data.curves.map((curve) => `${curve.label} (${curve.count} runs)`).join("; ");
    this.svg = addSvg(this.plot, "svg", {
      role: "img",
      tabindex: "0",
      "aria-label": `${data.value} over ${data.xaxis}. Curves: ${labels}. Arrow keys read values.`,
    });
    this.readout = addHtml(this.plot, "div", "readout");
    this.readout.setAttribute("role", "status");
    this.listen();
    drawAtEveryWidth(this, this.plot);
  }

  makeControls(figure) {
    const controls = addHtml(figure, "div", "controls");
    for (const curve of this.data.curves) {
      const text = `${curve.label} (n=${curve.count})`;
      const button = addButton(controls, text, true, (pressed) => this.toggle(curve, pressed));
      button.prepend(addSwatch(button, curve.style));
    }
    const single = addButton(controls, "Single runs", false, (button) => {
      this.showsRuns = !this.showsRuns;
      button.setAttribute("aria-pressed", String(this.showsRuns));
      this.draw();
    });
    single.classList.add("switch");
    this.reset = addButton(controls, "Reset zoom", null, () => this.setZoom(null));
    this.reset.hidden = true;
  }

  toggle(curve, button) {
    if (this.hidden.has(curve)) this.hidden.delete(curve);
    else this.hidden.add(curve);
    button.setAttribute("aria-pressed", String(!this.hidden.has(curve)));
    this.draw();
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.reset.hidden = zoom === null;
    this.draw();
  }

  visible() {
    return this.data.curves.filter((curve) => !this.hidden.has(curve));
  }

  // What of a curve is drawn as lines.
  linesOf(curve) {
    return this.showsRuns ? [...curve.lines, ...curve.runs] : curve.lines;
  }

  rangeOfX() {
    if (this.zoom) return this.zoom.x;
    const values = [];
    for (const curve of this.data.curves) {
      for (const line of curve.lines) values.push(...line.x);
    }
    const [low, high] = range(values) || [0, 1];
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  }

  // Bands may make the range three times as high as the runs themselves, and no higher: an interval
  // of two runs would flatten every curve.
  rangeOfY(rangeX) {
    if (this.zoom && this.zoom.y) return this.zoom.y;
    const inside = (x) => x >= rangeX[0] && x <= rangeX[1];
    const ofLines = [];
    const ofRuns = [];
    const ofBands = [];
    for (const curve of this.visible()) {
      const collect = (line, target, values) => {
        values.forEach((value, place) => {
          if (inside(line.x[place])) target.push(value);
        });
      };
      for (const line of this.linesOf(curve)) collect(line, ofLines, line.y);
      for (const line of curve.runs) collect(line, ofRuns, line.y);
      if (curve.band) {
        collect(curve.band, ofBands, curve.band.low);
        collect(curve.band, ofBands, curve.band.high);
      }
    }
    let [low, high] = range(ofLines) || [0, 1];
    const band = range(ofBands);
    const runs = range(ofRuns);
    if (band && runs) {
      const height = runs[1] - runs[0];
      low = Math.min(low, Math.max(band[0], runs[0] - height));
      high = Math.max(high, Math.min(band[1], runs[1] + height));
    }
    const padding = (high - low) * PADDING || Math.abs(low) * PADDING || 0.5;
    return [low - padding, high + padding];
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!width) return;
    const height = clamp(width * 0.42, 230, 400);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren();
    this.inner = {
      width: width - MARGIN.left - MARGIN.right,
      height: height - MARGIN.top - MARGIN.bottom,
    };
    this.x = this.rangeOfX();
    this.y = this.rangeOfY(this.x);
    this.drawAxes(width, height);
    // An inner svg cuts off what is outside of it.
    this.area = addSvg(this.svg, "svg", {
      x: MARGIN.left, y: MARGIN.top, width: this.inner.width, height: this.inner.height,
    });
    for (const curve of this.visible()) this.drawBand(curve);
    for (const curve of this.visible()) this.drawLines(curve);
    this.overlay = addSvg(this.area, "g", {});
    this.drawCursor();
  }

  placeX(x) {
    return ((x - this.x[0]) / (this.x[1] - this.x[0])) * this.inner.width;
  }

  placeY(y) {
    return (1 - (y - this.y[0]) / (this.y[1] - this.y[0])) * this.inner.height;
  }

  valueX(pixel) {
    return this.x[0] + (pixel / this.inner.width) * (this.x[1] - this.x[0]);
  }

  valueY(pixel) {
    return this.y[0] + (1 - pixel / this.inner.height) * (this.y[1] - this.y[0]);
  }

  drawAxes(width, height) {
    const bottom = MARGIN.top + this.inner.height;
    const right = MARGIN.left + this.inner.width;
    for (const value of ticks(...this.y, 5)) {
      const y = MARGIN.top + this.placeY(value);
      addSvg(this.svg, "line", { class: "gridline", x1: MARGIN.left, x2: right, y1: y, y2: y });
      const place = { x: MARGIN.left - 7, y: y + 4, "text-anchor": "end" };
      addSvg(this.svg, "text", place, showTick(value));
    }
    for (const value of ticks(...this.x, clamp(width / 80, 3, 8))) {
      const x = MARGIN.left + this.placeX(value);
      addSvg(this.svg, "line", { class: "gridline", x1: x, x2: x, y1: MARGIN.top, y2: bottom });
      const place = { x, y: bottom + 16, "text-anchor": "middle" };
      addSvg(this.svg, "text", place, showTick(value));
    }
    const axis = { class: "frame", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom };
    addSvg(this.svg, "line", axis);
    const middle = { x: MARGIN.left + this.inner.width / 2, y: height - 4, "text-anchor": "middle" };
    addSvg(this.svg, "text", middle, this.data.xaxis);
  }

  // Commands of a path through the points; it begins anew after what is no number.
  path(x, y) {
    let commands = "";
    let joined = false;
    x.forEach((value, place) => {
      if (value === null || y[place] === null) {
        joined = false;
        return;
      }
      const point = `${this.placeX(value).toFixed(1)},${this.placeY(y[place]).toFixed(1)}`;
      commands += `${joined ? "L" : "M"}${point}`;
      joined = true;
    });
    return commands;
  }

  drawBand(curve) {
    if (!curve.band) return;
    const { x, low, high } = curve.band;
    const places = x.map((_, place) => place).filter((place) => low[place] !== null && high[place] !== null);
    if (!places.length) return;
    const upper = places.map((place) => [x[place], high[place]]);
    const lower = places.map((place) => [x[place], low[place]]).reverse();
    const points = [...upper, ...lower];
    const outline = this.path(points.map((point) => point[0]), points.map((point) => point[1]));
    addSvg(this.area, "path", { class: `band ${styleClass(curve.style)}`, d: `${outline}Z` });
  }

  drawLines(curve) {
    const look = styleClass(curve.style);
    if (this.showsRuns) {
      for (const line of curve.runs) this.drawLine(line, `curve single ${look}`, look);
    }
    for (const line of curve.lines) {
      const some = line.count < curve.count ? "some " : "";
      this.drawLine(line, `curve ${some}${look}`, look);
    }
  }

  drawLine(line, className, look) {
    if (line.x.length === 1) {
      // A line of one point would not be seen.
      const place = { cx: this.placeX(line.x[0]), cy: this.placeY(line.y[0]), r: 3 };
      addSvg(this.area, "circle", { class: `dot ${look}`, ...place });
      return;
    }
    addSvg(this.area, "path", { class: className, d: this.path(line.x, line.y) });
  }

  // Reading values -----

  // The point of a curve that is nearest to the cursor; null where the curve isn't there.
  pointAt(curve) {
    const there = (line) => this.cursor >= line.x[0] && this.cursor <= line.x[line.x.length - 1];
    const line = curve.lines.find((candidate) => candidate.count === curve.count && there(candidate))
      || curve.lines.find(there);
    if (!line) return null;
    const place = nearest(line.x, this.cursor);
    const point = { x: line.x[place], y: line.y[place], count: line.count, band: "" };
    const inBand = curve.band ? curve.band.x.indexOf(point.x) : -1;
    if (inBand >= 0 && line.count === curve.count) {
      const low = showNumber(curve.band.low[inBand]);
      point.band = ` [${low}, ${showNumber(curve.band.high[inBand])}]`;
    }
    return point.y === null ? null : point;
  }

  drawCursor() {
    this.overlay.replaceChildren();
    this.readout.replaceChildren();
    if (this.cursor === null) return;
    const pixel = this.placeX(this.cursor);
    if (pixel < 0 || pixel > this.inner.width) return;
    const line = { class: "cursor", x1: pixel, x2: pixel, y1: 0, y2: this.inner.height };
    addSvg(this.overlay, "line", line);
    addHtml(this.readout, "div", "", `${this.data.xaxis} ${showNumber(this.cursor)}`);
    for (const curve of this.visible()) {
      const point = this.pointAt(curve);
      if (!point) continue;
      const place = { cx: this.placeX(point.x), cy: this.placeY(point.y), r: 3.5 };
      addSvg(this.overlay, "circle", { class: `dot ${styleClass(curve.style)}`, ...place });
      const row = addHtml(this.readout, "div");
      addSwatch(row, curve.style);
      const some = point.count < curve.count ? ` (n=${point.count})` : "";
      addHtml(row, "span", "", `${curve.label}${some}: ${showNumber(point.y)}${point.band}`);
    }
    this.placeReadout(pixel);
  }

  // Beside the cursor, on the side that has more room.
  placeReadout(pixel) {
    const left = MARGIN.left + pixel;
    const onTheRight = pixel < this.inner.width / 2;
    this.readout.style.top = `${MARGIN.top + 4}px`;
    this.readout.style.left = onTheRight ? `${left + 12}px` : "auto";
    const fromRight = this.plot.clientWidth - left + 12;
    this.readout.style.right = onTheRight ? "auto" : `${fromRight}px`;
  }

  // Pointer and keyboard -----

  listen() {
    this.svg.addEventListener("pointerdown", (event) => this.startDrag(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.endDrag(event));
    this.svg.addEventListener("pointercancel", () => this.cancel());
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("blur", () => this.leave());
    this.svg.addEventListener("dblclick", () => this.setZoom(null));
    this.svg.addEventListener("keydown", (event) => this.press(event));
  }

  at(event) {
    const box = this.svg.getBoundingClientRect();
    return {
      x: clamp(event.clientX - box.left - MARGIN.left, 0, this.inner.width),
      y: clamp(event.clientY - box.top - MARGIN.top, 0, this.inner.height),
    };
  }

  startDrag(event) {
    if (event.button !== 0) return;
    this.drag = this.at(event);
    this.svg.setPointerCapture(event.pointerId);
  }

  move(event) {
    const place = this.at(event);
    this.cursor = this.valueX(place.x);
    this.drawCursor();
    if (this.drag) addSvg(this.overlay, "rect", { class: "selection", ...this.selection(place) });
  }

  // The rectangle that is dragged; of full height where that is hardly up or down.
  selection(place) {
    const flat = Math.abs(place.y - this.drag.y) < 3 * SHORTEST_DRAG;
    return {
      x: Math.min(place.x, this.drag.x),
      width: Math.abs(place.x - this.drag.x),
      y: flat ? 0 : Math.min(place.y, this.drag.y),
      height: flat ? this.inner.height : Math.abs(place.y - this.drag.y),
    };
  }

  endDrag(event) {
    if (!this.drag) return;
    const chosen = this.selection(this.at(event));
    this.drag = null;
    if (chosen.width < SHORTEST_DRAG) {
      this.drawCursor();
      return;
    }
    const whole = chosen.height === this.inner.height;
    const y = [this.valueY(chosen.y + chosen.height), this.valueY(chosen.y)];
    const x = [this.valueX(chosen.x), this.valueX(chosen.x + chosen.width)];
    this.setZoom({ x, y: whole ? null : y });
  }

  cancel() {
    this.drag = null;
    this.drawCursor();
  }

  leave() {
    if (this.drag) return;
    this.cursor = null;
    this.drawCursor();
  }

  press(event) {
    const width = this.x[1] - this.x[0];
    const middle = (this.x[0] + this.x[1]) / 2;
    const from = this.cursor === null ? middle : clamp(this.cursor, this.x[0], this.x[1]);
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const step = (event.key === "ArrowLeft" ? -1 : 1) * (width / KEY_STEPS);
      this.cursor = clamp(from + step, this.x[0], this.x[1]);
      this.drawCursor();
    } else if (event.key === "+" || event.key === "-") {
      const factor = event.key === "+" ? 0.5 : 2;
      this.setZoom({ x: [from - (from - this.x[0]) * factor, from + (this.x[1] - from) * factor], y: null });
    } else if (event.key === "0") {
      this.setZoom(null);
    } else if (event.key === "Escape") {
      this.leave();
    } else {
      return;
    }
    event.preventDefault();
  }
}

// Coloured cells -----------------------------------------------------------------

// The colour between the stops, for a share in [0, 1].
function blend(stops, share) {
  const place = clamp(share, 0, 1) * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  const rest = place - first;
  const mixed = stops[first].map((value, i) => Math.round(value + rest * (stops[first + 1][i] - value)));
  return `rgb(${mixed.join(" ")})`;
}

class GridChart {
  constructor(figure, data) {
    this.data = data;
    this.cursor = null; // {row, column}
    this.plot = addHtml(figure, "div", `plot ${data.colors}`);
    const rows = addHtml(this.plot, "div", "rows");
    const names = addHtml(rows, "ol");
    for (const name of data.rows) addHtml(names, "li", "", name).title = name;
    this.canvas = addHtml(rows, "canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", this.describe());
    if (!data.columns.length) this.makeEnds(rows);
    if (data.colors !== "copies") this.makeScale();
    this.readout = addHtml(this.plot, "div", "readout");
    this.readout.setAttribute("role", "status");
    this.listen();
    drawAtEveryWidth(this, this.canvas);
  }

  // The figure in words: what each row ends with.
  describe() {
    const parts = this.data.rows.map((name, row) => {
      const cells = this.data.cells[row];
      return `${name} ${showNumber(cells.length ? cells[cells.length - 1] : null)}`;
    });
    const what = this.data.columns.length ? "last column" : "at the end";
    return `${this.data.title}. ${what}: ${parts.join(", ")}. Arrow keys read values.`;
  }

  makeEnds(parent) {
    const { edges, xaxis } = this.data;
    const ends = addHtml(parent, "div", "ends");
    addHtml(ends, "span", "", showTick(edges[0]));
    addHtml(ends, "span", "", xaxis);
    addHtml(ends, "span", "", showTick(edges[edges.length - 1]));
  }

  makeScale() {
    const scale = addHtml(this.plot, "div", "scale");
    addHtml(scale, "span", "", showNumber(this.data.low));
    const bar = addHtml(scale, "canvas");
    bar.setAttribute("aria-hidden", "true");
    bar.width = 100;
    bar.height = 1;
    const context = bar.getContext("2d");
    for (let place = 0; place < 100; place += 1) {
      context.fillStyle = blend(this.stops(), place / 99);
      context.fillRect(place, 0, 1, 1);
    }
    addHtml(scale, "span", "", showNumber(this.data.high));
  }

  stops() {
    return this.data.colors === "cosines" ? COSINES : VIRIDIS;
  }

  color(value) {
    if (this.data.colors === "copies") {
      return `rgb(${COPIES[Math.abs(Math.trunc(value)) % COPIES.length].join(" ")})`;
    }
    const width = this.data.high - this.data.low;
    return blend(this.stops(), width > 0 ? (value - this.data.low) / width : 0.5);
  }

  draw() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const height = ROW_HEIGHT * this.data.rows.length;
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    const context = this.canvas.getContext("2d");
    context.scale(density, density);
    this.data.cells.forEach((_, row) => this.drawRow(context, row, width));
  }

  // Neighbours with the same value are drawn as one.
  drawRow(context, row, width) {
    const cells = this.data.cells[row];
    let start = 0;
    for (let column = 1; column <= cells.length; column += 1) {
      if (column < cells.length && cells[column] === cells[start]) continue;
      const left = this.placeX(this.data.edges[start], width);
      const right = this.placeX(this.data.edges[column], width);
      this.drawCell(context, cells[start], row, left, right);
      start = column;
    }
  }

  drawCell(context, value, row, left, right) {
    if (value === null) return;
    context.fillStyle = this.color(value);
    // A little wider than it is, so that no gap shows between cells.
    context.fillRect(left, row * ROW_HEIGHT, right - left + 0.5, ROW_HEIGHT - 1);
    if (this.data.colors !== "copies" || right - left < NARROWEST_NUMBER) return;
    context.fillStyle = "#ffffff";
    context.strokeStyle = "#000000";
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.font = "bold 11px sans-serif";
    context.textAlign = "center";
    const place = [(left + right) / 2, row * ROW_HEIGHT + 13];
    context.strokeText(String(value), ...place);
    context.fillText(String(value), ...place);
  }

  placeX(x, width) {
    const { edges } = this.data;
    const last = edges[edges.length - 1];
    return ((x - edges[0]) / (last - edges[0])) * width;
  }

  // Reading values -----

  listen() {
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerdown", (event) => this.move(event));
    this.canvas.addEventListener("pointerleave", () => this.read(null));
    this.canvas.addEventListener("blur", () => this.read(null));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
  }

  move(event) {
    const box = this.canvas.getBoundingClientRect();
    const { edges, rows } = this.data;
    const row = clamp(Math.floor((event.clientY - box.top) / ROW_HEIGHT), 0, rows.length - 1);
    const share = (event.clientX - box.left) / box.width;
    const x = edges[0] + share * (edges[edges.length - 1] - edges[0]);
    let column = 0;
    while (column < edges.length - 2 && edges[column + 1] <= x) column += 1;
    this.read({ row, column });
  }

  press(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const move = moves[event.key];
    if (!move) return;
    const from = this.cursor || { row: 0, column: 0 };
    const row = clamp(from.row + move[0], 0, this.data.rows.length - 1);
    const column = clamp(from.column + move[1], 0, this.data.edges.length - 2);
    this.read({ row, column });
    event.preventDefault();
  }

  read(cursor) {
    this.cursor = cursor;
    this.readout.textContent = "";
    if (cursor === null) return;
    const { rows, columns, edges, xaxis, cells } = this.data;
    const { row, column } = cursor;
    const value = showNumber(cells[row][column]);
    const from = showNumber(edges[column]);
    const where = columns.length ? columns[column] : `${xaxis} ${from} to ${showNumber(edges[column + 1])}`;
    this.readout.textContent = `${rows[row]}, ${where}: ${value}`;
    const left = this.canvas.offsetLeft + this.placeX(edges[column], this.canvas.clientWidth);
    const onTheRight = left < this.plot.clientWidth / 2;
    this.readout.style.top = `${this.canvas.offsetTop + (row + 1) * ROW_HEIGHT + 6}px`;
    this.readout.style.left = onTheRight ? `${left + 12}px` : "auto";
    this.readout.style.right = onTheRight ? "auto" : `${this.plot.clientWidth - left + 12}px`;
  }
}

// The page -----------------------------------------------------------------------

const CHARTS = { curves: CurveChart, grid: GridChart };

function drawFigures() {
  const figures = JSON.parse(document.getElementById("data").textContent);
  for (const element of document.querySelectorAll("[data-figure]")) {
    const data = figures[Number(element.dataset.figure)];
    new CHARTS[data.kind](element, data);
  }
}

function makeThemeButton() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme
    ? root.dataset.theme === "dark"
    : window.matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  button.hidden = false;
  label();
}

makeThemeButton();
drawFigures();
