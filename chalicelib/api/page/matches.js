// Lists the people who look like a face, nearest first.

import { crop } from "./crops.js";
import { element, plural, skeletons } from "./dom.js";
import { faceSet, facesIn } from "./face_sets.js";
import { LIMIT, searched } from "./identify.js";
import { info, thresholds } from "./model.js";
import { attempt, say } from "./notices.js";
import { Scale, threshold } from "./scale.js";
import { rate, verdict } from "./words.js";

const FIRST_SHOWN = 5;

export class Matches {
  /** `pick` gets the name that the user chooses; without it nothing can be chosen. `changed` follows the slider. */
  constructor(root, { pick = null, changed = () => {} } = {}) {
    this.pick = pick;
    this.list = element("ol.matches");
    this.state = element("p.quiet.state", { tabIndex: -1 });
    this.more = element("button", { hidden: true, onclick: () => this.showAll() }, "Show all");
    this.alert = element("p", { role: "alert", hidden: true });
    this.weakness = element("p.quiet.weakness");
    this.tools = element("div.scale");
    this.scale = new Scale(this.tools, () => {
      this.draw();
      changed();
    });
    root.append(this.alert, this.state, this.list, this.more, this.weakness, this.tools);
    this.clear();
  }

  clear() {
    this.found = null;
    this.tools.hidden = true;
    this.more.hidden = true;
    this.alert.hidden = true;
    this.state.textContent = this.weakness.textContent = "";
    this.list.replaceChildren();
  }

  /** Search for a face up to the slider's maximum, and show the matches. */
  async search(token, signal) {
    this.clear();
    this.state.textContent = "Searching …";
    this.list.replaceChildren(...skeletons(FIRST_SHOWN));
    await attempt(this.alert, async () => {
      const reply = await searched(token, await thresholds(), signal);
      // The reply's thresholds, because the service's model may have changed meanwhile.
      await this.show(reply.cmp_result, await thresholds(reply), reply.truncated);
      say(this.state.textContent);
    });
    if (!this.found && !signal?.aborted) {
      this.state.textContent = "";
      this.list.replaceChildren();
    }
  }

  /** Show matches up to the slider's maximum. `truncated` says that there are more. */
  async show(found, known, truncated) {
    this.awaited = found;
    const { model, faces } = await info();
    const size = (await facesIn(faceSet())) ?? faces;
    // Other matches are to be shown meanwhile.
    if (this.awaited !== found) return;
    this.scale.prepare(known, size);
    Object.assign(this, { found, thresholds: known, truncated, all: false });
    this.weakness.textContent = model.weaknesses[0] ?? "";
    this.draw();
  }

  showAll() {
    this.all = true;
    this.draw();
    this.list.children[FIRST_SHOWN].querySelector("strong").focus();
  }

  draw() {
    if (!this.found) return;
    const within = this.found.filter(({ distance }) => distance <= threshold(this.thresholds));
    const shown = within.slice(0, this.all ? LIMIT : FIRST_SHOWN);
    // Keep the rows that stay, with their pictures, because the slider moves often.
    const rows = new Map([...this.list.children].map((row) => [row.dataset.key, row]));
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    this.list.replaceChildren(...shown.map((match) => this.judged(rows.get(key(match)) ?? this.row(match), match)));
    if (focused) (focused.isConnected ? focused : this.state).focus();
    this.weakness.hidden = !within.length;
    this.tools.hidden = !this.found.length;
    this.more.hidden = shown.length === within.length;
    this.more.textContent = `Show all ${within.length}`;
    this.state.textContent = this.summary(within);
  }

  summary(within) {
    if (!this.found.length) return this.scale.faces ? "No one in this face set looks like this face." : "This face set is empty.";
    if (!within.length) return "No one is this alike. Move the slider to the right to see people who are less alike.";
    if (this.truncated && within.length === this.found.length) return `The nearest ${LIMIT} people`;
    return `${plural(within.length, "person", "people")}${within.length > 1 ? ", most alike first" : ""}`;
  }

  row(match) {
    const row = element(
      "li",
      {},
      crop(match.face_token),
      element("div.who", {}, element("strong", { tabIndex: -1 }, match.face_name), element("span.verdict")),
      this.pick && element("button", { "aria-label": `Choose ${match.face_name}`, onclick: () => this.pick(match.face_name) }, "Choose"),
      element(
        "div.quiet.why",
        {},
        rate(match.distance, this.thresholds),
        element(
          "details",
          {},
          element("summary", {}, "Details", element("span.unseen", {}, ` of ${match.face_name}`)),
          element("span.number", {}, `Distance ${match.distance.toFixed(3)}`),
        ),
      ),
    );
    row.dataset.key = key(match);
    return row;
  }

  /** Write the verdict, which depends on the slider. */
  judged(row, { distance }) {
    const { level, words } = verdict(distance, this.thresholds, threshold(this.thresholds));
    const badge = row.querySelector(".verdict");
    badge.className = `verdict ${level}`;
    badge.textContent = words;
    return row;
  }
}

const key = ({ face_token: token, face_name: name, distance }) => `${token} ${name} ${distance}`;
