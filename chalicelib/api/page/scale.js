// The threshold slider, with marks at the distances of known false match rates.

import { element } from "./dom.js";
import { meaning, oneIn, REFERENCE } from "./words.js";

// The false match rate at which the slider starts.
const FIRST_RATE = 1e-3;
const STEP = 0.005;

// The whole page shares one threshold and keeps it between searches.
let chosen = null;

export class Scale {
  constructor(root, changed) {
    this.changed = changed;
    this.slider = element("input", { type: "range", step: STEP, oninput: () => this.take(Number(this.slider.value)) });
    this.value = element("span", { className: "number" });
    this.ticks = element("div", { className: "ticks", "aria-hidden": "true" });
    this.presets = element("div", { className: "presets", role: "group", "aria-label": "Strangers who would match" });
    this.head = element("p", { className: "quiet presets-head", "aria-hidden": "true" }, "Strangers who would match");
    this.words = element("p", { className: "quiet" });
    root.append(
      element("label", { className: "scale-head" }, element("span", {}, "Largest distance"), this.value, this.slider),
      this.ticks,
      this.head,
      this.presets,
      this.words,
    );
  }

  /** The largest distance that the slider allows. Set by `prepare`. */
  get reach() {
    return Number(this.slider.max);
  }

  get threshold() {
    return chosen;
  }

  /** Fit the slider to the model's `thresholds`, nearest first. `faces` is the size of the face set. */
  prepare(thresholds, faces) {
    this.thresholds = thresholds;
    this.faces = faces;
    const least = thresholds[0]?.distance ?? REFERENCE;
    const most = thresholds.at(-1)?.distance ?? REFERENCE;
    this.slider.min = Math.floor(least * 10) / 20;
    this.slider.max = (Math.ceil(most * 12) / 10).toFixed(1);
    const first = thresholds.find(({ fmr }) => fmr >= FIRST_RATE * 0.999);
    chosen = Math.min(Math.max(chosen ?? first?.distance ?? REFERENCE, this.slider.min), this.reach);
    this.marks = thresholds.length ? thresholds : [{ distance: REFERENCE }];
    this.ticks.replaceChildren(...this.marks.map(({ distance }) => this.tick(distance)));
    this.presets.replaceChildren(...this.marks.map((mark) => this.preset(mark)));
    this.head.hidden = !thresholds.length;
    this.draw();
  }

  take(value) {
    chosen = value;
    this.draw();
    this.changed();
  }

  draw() {
    this.slider.value = chosen;
    this.value.textContent = chosen.toFixed(3);
    this.words.textContent = meaning(chosen, this.thresholds, this.faces);
    this.slider.setAttribute("aria-valuetext", `${chosen.toFixed(3)}. ${this.words.textContent}`);
    [...this.presets.children].forEach((button, index) => {
      button.ariaPressed = String(Math.abs(this.marks[index].distance - chosen) < 1e-9);
    });
  }

  tick(distance) {
    const tick = element("span");
    tick.style.setProperty("--at", (distance - this.slider.min) / (this.reach - this.slider.min));
    return tick;
  }

  preset({ fmr, distance }) {
    return element(
      "button",
      { type: "button", onclick: () => this.take(distance) },
      element("span", {}, fmr === undefined ? "The authors' advice" : oneIn(fmr)),
      element("span", { className: "number quiet" }, distance.toFixed(3)),
    );
  }
}
