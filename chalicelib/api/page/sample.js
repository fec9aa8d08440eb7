// Draws a sample picture of two people, so that the first try needs no photograph.

import { element } from "./dom.js";
import { jpeg } from "./picture.js";

const WIDTH = 800;
const HEIGHT = 440;

const PEOPLE = [
  { left: 0, skin: "#e0b49b", shade: "#be8c76", hair: "#32241e", shirt: "#3c466e", lips: "#b05050", jaw: 100, eyes: 42, nose: 22, fringe: 55 },
  { left: 400, skin: "#a8714f", shade: "#b29f95", hair: "#b78b63", shirt: "#2f6b57", lips: "#d98a8a", jaw: 84, eyes: 55, nose: 34, fringe: 39, glasses: "#861b19" },
];

/** Resolve to a picture. Its two faces are strangers to the recommended model: it guesses neither's name. */
export function sample() {
  const canvas = element("canvas", { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d");
  // Edges as sharp as a drawing's are unlike a photograph.
  context.filter = "blur(2.5px)";
  context.fillStyle = "#b0bec8";
  context.fillRect(-9, -9, WIDTH + 18, HEIGHT + 18);
  PEOPLE.forEach((person) => portrait(context, person));
  return jpeg(canvas);
}

function portrait(context, { left, skin, shade, hair, shirt, lips, jaw, eyes, nose, fringe, glasses }) {
  const oval = (x, y, width, height, colour, from = 0, to = 2, line = 0) => {
    context.beginPath();
    context.ellipse(left + x - 40, y - 40, width, height, 0, from * Math.PI, to * Math.PI);
    context.fillStyle = context.strokeStyle = colour;
    context.lineWidth = line;
    if (line) context.stroke();
    else context.fill();
  };
  oval(240, 490, 170, 110, shirt);
  oval(240, 370, 42, 50, skin);
  oval(240, 200, jaw + 25, 150, hair);
  oval(240, 235, jaw, 130, skin);
  oval(240, 130, jaw + 4, fringe, hair, 1, 2);
  for (const x of [240 - eyes, 240 + eyes]) {
    oval(x, 212, 24, 15, shade);
    oval(x, 214, 19, 10, "#f5f5f5");
    oval(x, 214, 9, 9, "#3c2819");
    oval(x - 3, 211, 2, 2, "white");
    oval(x, 190, 27, 8, hair, 1, 2, 7);
    if (glasses) oval(x, 214, 38, 30, glasses, 0, 2, 5);
  }
  oval(240, 272, nose, 11, shade, 0, 1, 4);
  for (const x of [230, 250]) oval(x, 277, 4, 4, shade);
  oval(240, 315, 36, 12, lips, 0, 1);
  oval(240, 315, 36, 7, lips, 1, 2);
  oval(240, 315, 36, 1, "#6e282c");
}
