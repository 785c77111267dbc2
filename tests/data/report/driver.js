// Does what a person would, and writes down what comes of it.
SVGElement.prototype.setPointerCapture = () => {};
function point(target, name, x, y) {
  const box = target.getBoundingClientRect();
  const place = { clientX: box.left + x, clientY: box.top + y, button: 0, bubbles: true };
  target.dispatchEvent(new PointerEvent(name, place));
}
function press(target, key) {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}
function drive() {
  const seen = {};
  const figure = document.querySelector("figure");
  const svg = figure.querySelector(".plot svg");
  const ticks = () => [...svg.querySelectorAll("text")].map((text) => text.textContent);
  const curves = () => svg.querySelectorAll("path.curve").length;
  seen.width = document.documentElement.scrollWidth - window.innerWidth;
  seen.curves = curves();
  const before = ticks();
  point(svg, "pointermove", 300, 100);
  seen.readout = figure.querySelector(".readout").textContent;
  seen.readoutHeight = figure.querySelector(".readout").clientHeight;
  point(svg, "pointerdown", 200, 100);
  point(svg, "pointermove", 300, 102);
  point(svg, "pointerup", 300, 102);
  seen.zoomed = ticks().join() !== before.join();
  svg.dispatchEvent(new MouseEvent("dblclick"));
  seen.reset = ticks().join() === before.join();
  press(svg, "+");
  seen.keyZoomed = ticks().join() !== before.join();
  press(svg, "0");
  seen.keyReset = ticks().join() === before.join();
  point(svg, "pointerleave", 0, 0);
  press(svg, "ArrowRight");
  seen.keyReadout = figure.querySelector(".readout").textContent;
  const [first, second, single] = figure.querySelectorAll("button");
  first.click();
  seen.hidden = [curves(), first.getAttribute("aria-pressed")];
  first.click();
  single.click();
  seen.single = curves();
  const canvas = document.querySelector("figure canvas");
  point(canvas, "pointermove", 1, 1);
  seen.cell = canvas.parentElement.parentElement.querySelector(".readout").textContent;
  const theme = document.getElementById("theme");
  const color = () => getComputedStyle(document.body).backgroundColor;
  const themes = [color()];
  theme.click();
  seen.themes = [...themes, color()];
  document.body.dataset.seen = JSON.stringify(seen);
}

drive();
