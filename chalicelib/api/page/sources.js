// Accepts pictures: files that are chosen, dropped or pasted, and photographs from the camera.

import { photographed } from "./camera.js";
import { byId, element, icon } from "./dom.js";

const zones = [];

/**
 * Make an empty element accept pictures, and call `open` with each file. A pasted picture, or one dropped outside all
 * of these elements, goes to the view's first element without a picture, else to its first element.
 */
export function acceptPictures(zone, open, wanted = "a picture") {
  // Several buttons of a view choose pictures: screen readers hear which one.
  const which = () => (wanted === "a picture" ? null : element("span.unseen", {}, ` (${wanted})`));
  const input = element("input", { type: "file", accept: "image/*", hidden: true });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) open(file);
  });
  const choose = element("button.primary", { onclick: () => input.click() }, icon("picture"), "Choose a picture", which());
  const camera = element(
    "button",
    {
      type: "button",
      // Browsers offer the camera to secure pages only.
      hidden: !navigator.mediaDevices?.getUserMedia,
      onclick: async () => {
        const file = await photographed();
        if (file) open(file);
      },
    },
    icon("camera"),
    "Use the camera",
    which(),
  );
  zone.append(
    icon("drop"),
    element("p.invitation", {}, `Drop ${wanted} here`, element("span.wide-only", {}, ", or paste one")),
    element("div.row", {}, choose, camera),
    input,
  );
  acceptDrops(zone, ([file]) => file && open(file));
  zones.push({ zone, open });
  return { choose, input, camera };
}

/** Highlight an element while something is dragged over it. Calls `take` with a drop's files and event. */
export function acceptDrops(zone, take) {
  let within = 0;
  const over = (change) => zone.classList.toggle("over", (within += change) > 0);
  zone.addEventListener("dragenter", () => over(1));
  zone.addEventListener("dragleave", () => over(-1));
  zone.addEventListener("dragover", (event) => event.preventDefault());
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    over(-within);
    take([...event.dataTransfer.files], event);
  });
}

export function startSources() {
  const current = () => {
    const inView = zones.filter(({ zone }) => !zone.closest("section").hidden);
    return inView.find(({ zone }) => zone.checkVisibility()) ?? inView[0];
  };
  // Otherwise the browser would replace the page with a picture dropped elsewhere.
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file && !document.querySelector("dialog[open]")) current()?.open(file);
  });
  addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (!file || document.querySelector("dialog[open]")) return;
    if (current()) event.preventDefault();
    current()?.open(file);
  });
  byId("main").addEventListener("dragstart", (event) => event.preventDefault());
}
