// Starts the page and switches between its views.

import { startBulk } from "./bulk.js";
import { startCompare } from "./compare.js";
import { startDialogs } from "./dialogs.js";
import { byId } from "./dom.js";
import { startFaceSets } from "./face_sets.js";
import { startFind } from "./find.js";
import { startKey } from "./key.js";
import { startAbout } from "./model.js";
import { showPeople, startPeople } from "./people.js";
import { startSources } from "./sources.js";

const VIEWS = ["find", "people", "add", "compare"];

function showView() {
  const named = location.hash.slice(1);
  // Other anchors, such as the skip link's, do not change the view.
  if (named && !VIEWS.includes(named) && document.querySelector("section:not([hidden])")) return;
  const wanted = VIEWS.includes(named) ? named : VIEWS[0];
  for (const name of VIEWS) {
    byId(name).hidden = name !== wanted;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    link.toggleAttribute("aria-current", name === wanted);
    if (name === wanted) {
      link.setAttribute("aria-current", "page");
      document.title = `${link.textContent.trim()} – Face search`;
    }
  }
  scrollTo(0, 0);
  if (wanted === "people") showPeople();
}

startDialogs();
startKey();
startAbout();
startSources();
startFind();
startPeople();
startBulk();
startCompare();
addEventListener("hashchange", showView);
showView();
startFaceSets();
