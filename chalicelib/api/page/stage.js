// Shows a picture with its faces drawn over it.

import { element } from "./dom.js";
import { looks } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export class Stage {
  /** Call `choose` with the index of a selected face. Without `choose` the faces are drawn but are not buttons. */
  constructor(root, choose = undefined) {
    this.root = root;
    this.choose = choose;
    this.boxes = [];
    this.picture = null;
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
  }

  clear() {
    this.picture?.bitmap.close();
    this.picture = null;
    this.boxes = [];
    this.root.replaceChildren();
  }

  busy(text) {
    this.frame.append(element("p", { className: "busy" }, element("span", { className: "spinner" }), text));
  }

  idle() {
    this.frame?.querySelector(".busy")?.remove();
  }

  draw(faces) {
    const { width, height } = this.picture;
    this.frame.querySelectorAll(".face, .landmarks").forEach((drawn) => drawn.remove());
    this.frame.append(landmarks(faces, width, height));
    this.boxes = faces.map((face, index) => {
      const label = `Face ${index + 1} of ${faces.length}, ${Math.round(face.quality.size)} px, ${looks(face.quality)}`;
      const box = this.choose
        ? element("button", { type: "button", "aria-label": label, onclick: () => this.choose(index) })
        : element("span");
      if (this.choose) box.ariaPressed = "false";
      box.classList.add("face");
      box.classList.toggle("poor", face.quality.reasons.length > 0);
      const [[left, top], [right, bottom]] = [face.top_left, face.bottom_right];
      box.style.left = `${(left / width) * 100}%`;
      box.style.top = `${(top / height) * 100}%`;
      box.style.width = `${((right - left) / width) * 100}%`;
      box.style.height = `${((bottom - top) / height) * 100}%`;
      return box;
    });
    this.frame.append(...this.boxes);
  }

  mark(chosen) {
    this.boxes.forEach((box, index) => (box.ariaPressed = String(index === chosen)));
  }

  /** Write a name beside a face. */
  label(index, text) {
    this.boxes[index].replaceChildren(element("span", { className: "tag", "aria-hidden": "true" }, text));
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
