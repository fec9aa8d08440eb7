// The threshold slider, with buttons for the distances of known false match rates.

import { element } from "./dom.js";
import { meaning, oneIn, REFERENCE, usual } from "./words.js";

const STEP = 0.005;

// The whole page shares one threshold and keeps it between searches.
let chosen = null;

/** Return the largest distance that the slider allows under a model's `thresholds`, nearest first. */
export function reach(thresholds) {
  return Math.ceil((thresholds.at(-1)?.distance ?? REFERENCE) * 12) / 10;
}

/** Return the largest distance of a match that the user accepts. */
export function threshold(thresholds) {
  return Math.min(chosen ?? usual(thresholds), reach(thresholds));
}

export class Scale {
  constructor(root, changed) {
    this.changed = changed;
    this.slider = element("input", { type: "range", step: STEP, oninput: () => this.take(Number(this.slider.value)) });
    this.presets = element("div.presets", { role: "group", "aria-label": "Strangers who would match" });
    this.words = element("p.quiet");
    this.value = element("p.number.quiet");
    root.append(
      element("label", {}, "How alike must faces be?", this.slider),
      element("p.ends.quiet", { "aria-hidden": "true" }, element("span", {}, "Very alike"), element("span", {}, "Somewhat alike")),
      this.presets,
      this.words,
      element("details", {}, element("summary", {}, "Details of the slider"), this.value),
    );
  }

  /** Fit the slider to the model's `thresholds`, nearest first. `faces` is the size of the face set. */
  prepare(thresholds, faces) {
    this.thresholds = thresholds;
    this.faces = faces;
    this.slider.min = Math.floor((thresholds[0]?.distance ?? REFERENCE) * 10) / 20;
    this.slider.max = reach(thresholds);
    this.marks = thresholds.length ? thresholds : [{ distance: REFERENCE }];
    this.presets.replaceChildren(...this.marks.map((mark) => this.preset(mark)));
    this.draw();
  }

  take(value) {
    chosen = value;
    this.draw();
    this.changed();
  }

  draw() {
    const distance = threshold(this.thresholds);
    this.slider.value = distance;
    this.value.textContent = `Largest distance ${distance.toFixed(3)}`;
    this.words.textContent = meaning(distance, this.thresholds, this.faces);
    this.slider.setAttribute("aria-valuetext", this.words.textContent);
    [...this.presets.children].forEach((button, index) => {
      button.ariaPressed = String(Math.abs(this.marks[index].distance - distance) < 1e-9);
    });
  }

  preset({ fmr, distance }) {
    const text = fmr === undefined ? "The authors' advice" : oneIn(fmr);
    return element("button", { onclick: () => this.take(distance) }, text);
  }
}
