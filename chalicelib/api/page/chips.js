// Places the names of faces within a picture.

const GAP_PX = 4;

/** Place each box's chip, with its tick, beside the box: within the frame, and off other chips and faces if possible. */
export function placeChips(frame, boxes) {
  const { clientWidth: width, clientHeight: height } = frame;
  frame.style.setProperty("--most", `${width}px`);
  const faces = boxes.map((box) => rectangle(box.offsetLeft, box.offsetTop, box.offsetWidth, box.offsetHeight));
  const placed = [];
  boxes.forEach((box, index) => {
    const chip = box.firstElementChild;
    if (!chip?.textContent) return;
    const tick = box.nextElementSibling?.matches(".tick") ? box.nextElementSibling : null;
    const size = [chip.offsetWidth + (tick?.offsetWidth ?? 0), Math.max(chip.offsetHeight, tick?.offsetHeight ?? 0)];
    const face = faces[index];
    const costs = new Map();
    for (const top of [face.top - size[1] - GAP_PX, face.bottom + GAP_PX, face.top + GAP_PX, face.bottom - size[1] - GAP_PX]) {
      for (const left of [face.left, face.right - size[0], (face.left + face.right - size[0]) / 2]) {
        const place = rectangle(within(left, width - size[0]), within(top, height - size[1]), ...size);
        const cost = shared(place, placed) * 4 + shared(place, faces);
        if (!costs.has(cost)) costs.set(cost, place);
      }
    }
    const best = costs.get(Math.min(...costs.keys()));
    placed.push(best);
    // The chip is inside the box's border, the tick beside the box.
    chip.style.left = `${best.left - face.left - box.clientLeft}px`;
    chip.style.top = `${best.top - face.top - box.clientTop}px`;
    if (!tick) return;
    tick.style.left = `${best.left + chip.offsetWidth}px`;
    tick.style.top = `${best.top}px`;
    tick.style.minHeight = `${size[1]}px`;
  });
}

const rectangle = (left, top, width, height) => ({ left, top, right: left + width, bottom: top + height });
const within = (value, most) => Math.max(0, Math.min(value, most));

/** Return the area that a rectangle shares with others. */
function shared(one, others) {
  const areas = others.map((other) => {
    const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    return Math.max(0, width) * Math.max(0, height);
  });
  return areas.reduce((sum, area) => sum + area, 0);
}
