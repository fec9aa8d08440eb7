// Places the names of faces within a picture.

const GAP_PX = 4;
// To cover a face is better than to cover any part of another chip.
const CHIP_OVER_FACE = 1e6;
// In a crowd a name is written smaller, and in more lines, or only shown when its face is chosen or pointed at.
const SIZES = ["", "narrow", "away"];

/**
 * Place each box's chip, with its tick, beside the box: within the frame, off other chips and, if possible, off faces.
 * The first to get a place is the face with the index `chosen`.
 */
export function placeChips(frame, boxes, chosen) {
  frame.style.setProperty("--most", `${frame.clientWidth}px`);
  const faces = boxes.map((box) => rectangle(box.offsetLeft, box.offsetTop, box.offsetWidth, box.offsetHeight));
  const placed = [];
  const order = boxes.map((_, index) => index).sort((a, b) => (b === chosen) - (a === chosen));
  for (const index of order) {
    const chip = boxes[index].firstElementChild;
    const tick = boxes[index].nextElementSibling?.matches(".tick") ? boxes[index].nextElementSibling : null;
    if (!chip?.textContent) continue;
    let place;
    for (const size of index === chosen ? SIZES.slice(0, 1) : SIZES) {
      chip.className = `chip ${size}`;
      tick?.classList.toggle("away", size === "away");
      place = best(frame, chip.offsetWidth + (tick?.offsetWidth ?? 0), chip.offsetHeight, faces, index, placed);
      if (!shared(place, placed) && chip.offsetHeight <= frame.clientHeight) break;
    }
    if (!chip.matches(".away")) placed.push(place);
    // The chip is inside the box's border, the tick beside the box.
    const { left, top } = faces[index];
    move(chip, place.left - left - boxes[index].clientLeft, place.top - top - boxes[index].clientTop);
    if (!tick) continue;
    move(tick, place.left + chip.offsetWidth, place.top);
    tick.style.height = `${chip.offsetHeight}px`;
  }
}

/** Return the place for a chip of this size that covers least. */
function best(frame, width, height, faces, index, placed) {
  const face = faces[index];
  const tops = [face.top - height - GAP_PX, face.bottom + GAP_PX, face.top + GAP_PX, face.bottom - height - GAP_PX];
  const lefts = [face.left, face.right - width, (face.left + face.right - width) / 2];
  const places = tops.flatMap((top) =>
    lefts.map((left) => rectangle(within(left, frame.clientWidth - width), within(top, frame.clientHeight - height), width, height)),
  );
  const costs = places.map((place) => shared(place, placed) * CHIP_OVER_FACE + shared(place, faces));
  return places[costs.indexOf(Math.min(...costs))];
}

const move = (part, left, top) => Object.assign(part.style, { left: `${left}px`, top: `${top}px` });
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
