// The report: what became of every file, those left out included.

import { csv } from "./bulk_files.js";
import { flaws } from "./bulk_pictures.js";
import { byId, element, number, plural, write } from "./dom.js";

const SHOWN = 200;
// The colours of verdicts.
const LEVELS = { failed: "failed", alike: "possible", added: "sure" };

let rows = [];

/** Show what became of pictures. `stopped`: the user stopped the additions. */
export function showReport(pictures, additions, stopped) {
  const added = Map.groupBy(additions, ({ picture }) => picture);
  rows = pictures.flatMap((picture) => added.get(picture)?.map(ofAddition) ?? ofPicture(picture));
  // What needs attention comes first.
  const kinds = { failed: [], "not tried": [], alike: [], "left out": [], added: [] };
  rows.forEach((row) => kinds[kind(row)].push(row));
  const { failed, "not tried": open, alike, "left out": out } = kinds;
  const faces = `${plural(kinds.added.length + alike.length, "face")} added`;
  write("bulk-result", `${stopped ? "Stopped: " : ""}${faces}${failed.length ? `, ${number(failed.length)} failed` : ""}`);
  const rest = [
    open.length && `${plural(open.length, "picture was", "pictures were")} not tried.`,
    out.length && `${plural(out.length, "file was", "files were")} left out.`,
    alike.length && `${plural(alike.length, "face looks", "faces look")} like somebody with another name.`,
    `Face set: ${additions.at(-1).set}.`,
  ];
  write("bulk-rest", rest.filter(Boolean).join(" "));
  const sorted = Object.values(kinds).flat();
  byId("bulk-outcomes").replaceChildren(
    ...sorted.slice(0, SHOWN).map((row) => {
      const words = row.token ? `Added as ${row.name}` : row.outcome[0].toUpperCase() + row.outcome.slice(1);
      return fileRow(row.path, element("span", { className: `verdict ${LEVELS[kind(row)] ?? ""}` }, words), row.reason);
    }),
    sorted.length > SHOWN ? element("li", {}, `The CSV file has all ${plural(sorted.length, "row")}.`) : "",
  );
}

/** Return a row of a list of files: a path and facts about the file. */
export function fileRow(path, ...facts) {
  return element("li", {}, element("strong", {}, path), ...facts.map((fact) => element("span", {}, fact)));
}

const kind = ({ outcome, reason }) => (outcome === "added" && reason ? "alike" : outcome);

export function download() {
  const lines = rows.map(({ path, name, token, outcome, reason }) => [path, name, token, outcome, reason]);
  const url = URL.createObjectURL(csv([["file", "name", "face_token", "outcome", "reason"], ...lines]));
  element("a", { href: url, download: "face-search-report.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function ofAddition({ picture: { path }, face, name, tried, failure, similar }) {
  const row = { path, name, token: "", reason: failure };
  if (!tried || failure) return { ...row, outcome: tried ? "failed" : "not tried" };
  return { ...row, token: face.face_token, outcome: "added", reason: similar.length ? `Looks like ${similar.join(", ")}` : "" };
}

function ofPicture(picture) {
  const { path, tried, failure, passing } = picture;
  const row = { path, name: "", token: "", reason: failure };
  if (!tried || passing) return { ...row, outcome: tried ? "failed" : "not tried" };
  return { ...row, outcome: "left out", reason: failure || ["Not selected", ...flaws(picture)].join("; ") };
}
