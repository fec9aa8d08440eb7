// Shows a picture with its faces drawn over it.

import { placeChips } from "./chips.js";
import { drawing, element, icon } from "./dom.js";
import { imageOf } from "./picture.js";

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
    // The frame has the picture's aspect ratio, so percentages of the frame are positions in the picture.
    this.frame = element("div.frame", {}, imageOf(picture.blob, "img", description));
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
    this.frame.append(element("p.busy", {}, element("span.spinner"), text));
  }

  idle() {
    this.frame?.querySelector(".busy")?.remove();
  }

  /** Draw boxes around faces. `labels` are those of `label`. */
  draw(faces, labels) {
    const { width, height } = this.picture;
    this.frame.querySelectorAll(".face, .tick, .landmarks").forEach((drawn) => drawn.remove());
    this.boxes = faces.map((face, index) => {
      const box = element("button.face", { ariaPressed: "false", onclick: () => this.choose(index) });
      const [[left, top], [right, bottom]] = [face.top_left, face.bottom_right];
      Object.assign(box.style, {
        left: share(left, width),
        top: share(top, height),
        width: share(right - left, width),
        height: share(bottom - top, height),
      });
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
      box.replaceChildren(element("span.chip", {}, text), element("span.unseen", {}, more));
      const tick = box.nextElementSibling?.matches(".tick") ? box.nextElementSibling : null;
      // The focus must not go with the tick.
      if (!yes && tick === document.activeElement) box.focus();
      if (!yes) tick?.remove();
      else if (tick) tick.title = yes;
      else box.after(element("button.tick", { title: yes, onclick: () => this.confirm(index) }, icon("check")));
    });
    this.place();
  }
}

const share = (part, whole) => `${(part / whole) * 100}%`;

function landmarks(faces, width, height) {
  const dots = faces.flatMap(({ landmarks: points, top_left: [left], bottom_right: [right] }) => {
    const r = Math.max(1, (right - left) * 0.018);
    // Integer coordinates are pixel centres.
    return points.map(([x, y]) => drawing("circle", { cx: x + 0.5, cy: y + 0.5, r }));
  });
  return drawing("svg", { class: "landmarks", viewBox: `0 0 ${width} ${height}`, "aria-hidden": true }, ...dots);
}
