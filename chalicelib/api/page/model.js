// Reads the service's description: the model's error rates and the size of the face set.

import { call } from "./api.js";
import { byId, element } from "./dom.js";
import { oneIn } from "./words.js";

let asked = null;

/** Return the reply of `/info`. It is requested once, and again after a failure. */
export function info() {
  asked ??= call("GET", "info").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

/** Return the model's `{fmr, distance, worst}`, nearest first, from a search reply if it has them, else from `/info`. */
export async function thresholds(reply = undefined) {
  const known = reply?.thresholds
    ? Object.entries(reply.thresholds).map(([fmr, distance]) => ({
        fmr: Number(fmr),
        distance,
        worst: reply.worst_false_match_rates?.[fmr],
      }))
    : (await info()).model.thresholds.map((known) => ({ ...known, worst: known.worst_false_match_rate }));
  return [...known].sort((a, b) => a.distance - b.distance);
}

export function startAbout() {
  document.querySelectorAll("[data-about]").forEach((button) => button.addEventListener("click", about));
}

/** The button is beside matches, so the reply of `/info` is there. */
async function about() {
  byId("about-dialog").showModal();
  const { model, limits } = await info();
  const rows = [...model.thresholds]
    .sort((a, b) => a.distance - b.distance)
    .map((threshold) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, threshold.distance.toFixed(3)),
        element("td", {}, oneIn(threshold.fmr)),
        element("td", {}, threshold.worst_false_match_rate ? oneIn(threshold.worst_false_match_rate) : "not measured"),
        element("td", {}, `${(threshold.true_match_rate * 100).toFixed(1)} %`),
      ),
    );
  const head = ["Distance up to", "Strangers who match", "Strangers who match, worst group", "Same-person pairs that match"];
  byId("about-model").replaceChildren(
    element("p", {}, element("strong", {}, model.title), `. The service finds faces of at least ${limits.smallest_face_px} px.`),
    element(
      "table",
      { hidden: !rows.length },
      element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows),
    ),
    element("p.quiet", {}, model.thresholds[0]?.data ?? "No error rates were measured."),
    element("h3", { hidden: !model.weaknesses.length }, "Known weaknesses"),
    element("ul", {}, ...model.weaknesses.map((weakness) => element("li", {}, weakness))),
  );
}
