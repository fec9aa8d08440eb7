// Shows a picture with its faces drawn over it.

import { placeChips } from "./chips.js";
import { element, icon } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

export class Stage {
  /** Call `choose` with the index of a selected face, and `confirm` with that of a confirmed guess. */
  constructor(root, choose, confirm = undefined) {
    this.root = root;
    this.choose = choose;
    this.confirm = confirm;
    this.boxes = [];
    this.picture = null;
    this.resized = new ResizeObserver(() => this.place());
  }

  show(picture, description) {
    this.clear();
    this.picture = picture;
    const url = URL.createObjectURL(picture.blob);
    const image = element("img", { src: url, alt: description, onload: () => URL.revokeObjectURL(url) });
    // The frame has the picture's aspect ratio, so percentages of the frame are positions in the picture.
    this.frame = element("div", { className: "frame" }, image);
    this.frame.style.setProperty("--shape", `${picture.width} / ${picture.height}`);
    this.frame.style.setProperty("--widest", `${picture.width}px`);
    this.frame.style.setProperty("--ratio", picture.width / picture.height);
    this.root.replaceChildren(this.frame);
    this.resized.observe(this.frame);
  }

  clear() {
    this.resized.disconnect();
    this.picture?.bitmap.close();
    this.picture = null;
    this.boxes = [];
    this.chosen = -1;
    this.root.replaceChildren();
  }

  busy(text) {
    this.idle();
    this.frame.append(element("p", { className: "busy" }, element("span", { className: "spinner" }), text));
  }

  idle() {
    this.frame?.querySelector(".busy")?.remove();
  }

  /** Draw boxes around faces. `labels` are those of `label`. */
  draw(faces, labels) {
    const { width, height } = this.picture;
    this.frame.querySelectorAll(".face, .tick, .landmarks").forEach((drawn) => drawn.remove());
    this.boxes = faces.map((face, index) => {
      const box = element("button", { type: "button", className: "face", ariaPressed: "false", onclick: () => this.choose(index) });
      const [[left, top], [right, bottom]] = [face.top_left, face.bottom_right];
      box.style.left = `${(left / width) * 100}%`;
      box.style.top = `${(top / height) * 100}%`;
      box.style.width = `${((right - left) / width) * 100}%`;
      box.style.height = `${((bottom - top) / height) * 100}%`;
      return box;
    });
    this.frame.append(landmarks(faces, width, height), ...this.boxes);
    this.label(labels);
  }

  mark(chosen) {
    this.chosen = chosen;
    this.boxes.forEach((box, index) => (box.ariaPressed = String(index === chosen)));
    this.place();
  }

  place() {
    placeChips(this.frame, this.boxes, this.chosen);
  }

  /**
   * Name all faces. Of a label, `text` is written on a chip, `more` is for screen readers only, and `kind` is "saved",
   * "guess" or "unknown". With `yes`, the name of a button, the user can confirm the guess.
   */
  label(labels) {
    labels.forEach(({ text = "", more, kind = "", yes = "" }, index) => {
      const box = this.boxes[index];
      box.className = `face ${kind}`;
      box.replaceChildren(element("span", { className: "chip" }, text), element("span", { className: "unseen" }, more));
      const tick = box.nextElementSibling?.matches(".tick") ? box.nextElementSibling : null;
      // The focus must not go with the tick.
      if (!yes && tick === document.activeElement) box.focus();
      if (!yes) tick?.remove();
      else if (tick) tick.ariaLabel = tick.title = yes;
      else box.after(element("button", { type: "button", className: "tick", title: yes, "aria-label": yes, onclick: () => this.confirm(index) }, icon("check")));
    });
    this.place();
  }
}

function landmarks(faces, width, height) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", "landmarks");
  svg.setAttribute("aria-hidden", "true");
  for (const face of faces) {
    const size = face.bottom_right[0] - face.top_left[0];
    for (const [x, y] of face.landmarks) {
      const dot = document.createElementNS(SVG, "circle");
      // Integer coordinates are pixel centres.
      dot.setAttribute("cx", x + 0.5);
      dot.setAttribute("cy", y + 0.5);
      dot.setAttribute("r", Math.max(1, size * 0.018));
      svg.append(dot);
    }
  }
  return svg;
}
