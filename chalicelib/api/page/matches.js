// Lists the known faces within a distance of a face, nearest first.

import { call } from "./api.js";
import { crop } from "./crops.js";
import { element, plural } from "./dom.js";
import { faceSet, facesIn } from "./face_sets.js";
import { info, thresholds } from "./model.js";
import { attempt, say } from "./notices.js";
import { Scale } from "./scale.js";
import { verdict } from "./words.js";

// More than anyone looks through. The reply says if there are more.
const LIMIT = 100;
const FIRST_SHOWN = 5;

export class Matches {
  constructor(root) {
    this.list = element("ol", { className: "matches" });
    this.state = element("p", { className: "quiet state" });
    this.more = element("button", { type: "button", hidden: true, onclick: () => this.showAll() }, "Show all");
    this.alert = element("p", { className: "alert", role: "alert", hidden: true });
    this.tools = element("div", { className: "scale" });
    this.scale = new Scale(this.tools, () => this.draw());
    root.append(this.alert, this.tools, this.state, this.list, this.more);
    this.clear();
  }

  clear() {
    this.reply = null;
    this.tools.hidden = true;
    this.more.hidden = true;
    this.alert.hidden = true;
    this.state.textContent = "";
    this.list.replaceChildren();
  }

  /** Search once, up to the slider's maximum, and show the matches. Returns the nearest match, or null. */
  async search(token, signal) {
    this.clear();
    this.state.textContent = "Searching …";
    this.list.replaceChildren(...[1, 2, 3].map(() => element("li", { className: "skeleton", "aria-hidden": "true" })));
    const best = await attempt(this.alert, async () => {
      this.thresholds = await thresholds();
      const faces = await facesIn(faceSet());
      this.scale.prepare(this.thresholds, faces ?? (await info()).faces);
      const wanted = { face_token: token, threshold: this.scale.reach, limit: LIMIT, group: "name", face_set: faceSet() };
      this.reply = await call("GET", "search", wanted, signal);
      // Use this reply's thresholds: the service's model may have changed meanwhile.
      this.thresholds = await thresholds(this.reply);
      this.scale.prepare(this.thresholds, this.scale.faces);
      this.all = false;
      this.draw();
      say(this.state.textContent);
      return this.reply.cmp_result[0] ?? null;
    });
    if (!this.reply && !signal?.aborted) {
      this.state.textContent = "";
      this.list.replaceChildren();
    }
    return best;
  }

  showAll() {
    this.all = true;
    this.draw();
    this.list.children[FIRST_SHOWN].querySelector("strong").focus();
  }

  draw() {
    if (!this.reply) return;
    const known = this.reply.cmp_result;
    const within = known.filter(({ distance }) => distance <= this.scale.threshold);
    const shown = within.slice(0, this.all ? LIMIT : FIRST_SHOWN);
    // Keep the rows that stay, with their pictures, because the slider moves often.
    const rows = new Map([...this.list.children].map((row) => [row.dataset.token, row]));
    this.list.replaceChildren(...shown.map((match) => rows.get(match.face_token) ?? this.row(match)));
    this.tools.hidden = !known.length;
    this.more.hidden = shown.length === within.length;
    this.more.textContent = `Show all ${within.length}`;
    this.state.textContent = this.summary(known, within);
  }

  summary(known, within) {
    if (!known.length) {
      return this.scale.faces
        ? "No one in this face set looks like this face."
        : "This face set is empty. Name this face below to add it.";
    }
    if (!within.length) return "No match is this close. Move the slider to the right to see less certain matches.";
    if (this.reply.truncated && within.length === known.length) return `The nearest ${LIMIT} people`;
    return `${plural(within.length, "person", "people")}${within.length > 1 ? ", nearest first" : ""}`;
  }

  row(match) {
    const { level, words, caution } = verdict(match.distance, this.thresholds);
    const row = element(
      "li",
      {},
      crop(match.face_token),
      element(
        "div",
        { className: "who" },
        element(
          "div",
          { className: "name" },
          element("strong", { tabIndex: -1 }, match.face_name),
          element("span", { className: "number quiet", title: "Distance (0 means the same picture)" }, match.distance.toFixed(3)),
        ),
        element("span", { className: `verdict ${level}` }, words),
        element("span", { className: "quiet caution", hidden: !caution }, caution),
      ),
    );
    row.dataset.token = match.face_token;
    return row;
  }
}
