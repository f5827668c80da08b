// What lies over the points, on a 2-D canvas: lines, thumbnails, names, the ring, the area being drawn, the crosshair.

import { clamp } from "./camera.js";
import { dots } from "./scene.js";

const EDGE = { plain: 2, marked: 3.5 }; // px around a picture
const WIDEST = 190; // px of a name
const BORDER = 6; // px on either side of a name
const HIGH = 8; // px from the middle of a name to its top
const NAMES = 45; // names on a million square pixels at zoom 1, if they find room
const LIFT = 12; // px that a name stands above the middle of its crowd
const NARROW = 480; // px of a view whose title would lie under the buttons
const DASHED = "map";

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.widths = new Map(); // of names, in pixels
  }

  draw(map) {
    const { pen, canvas } = this;
    pen.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    let named = 0;
    for (const view of map.views) {
      pen.save();
      pen.translate(view.left, view.top);
      pen.beginPath();
      pen.rect(0, 0, view.camera.width, view.camera.height);
      pen.clip();
      this.lines(view, map.data.hues.lines);
      this.faces(view, map);
      if (view.ring) this.circle(view, view.ring, 9, map.data.hues.ring, 2.2);
      this.hovered(view, map);
      named += this.names(view, map.colours);
      this.title(view, map.colours);
      if (map.draft?.view === view) this.area(view, map.draft, map.data.hues.area);
      if (map.crosshair && map.active === view) this.cross(view, map.colours);
      pen.restore();
    }
    this.parting(map);
    map.root.dataset.names = String(named);
  }

  lines(view, hues) {
    const { pen } = this;
    pen.lineWidth = 1.5;
    for (const [x1, y1, x2, y2, kind] of view.lines) {
      pen.setLineDash(kind === DASHED ? [3, 3] : []);
      pen.strokeStyle = hues[kind];
      pen.beginPath();
      pen.moveTo(...view.camera.toScreen(x1, y1));
      pen.lineTo(...view.camera.toScreen(x2, y2));
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  // Pictures in the colours of their points; marked ones last, with a wider edge.
  faces(view, map) {
    const { pen } = this;
    const size = view.face;
    for (const point of view.faces.toSorted((one, other) => map.mask[one] - map.mask[other])) {
      const image = map.faces.of(point);
      if (!image) continue;
      const [x, y] = view.screenOf(point);
      const faded = map.isFaded(point);
      const edge = map.mask[point] ? EDGE.marked : EDGE.plain;
      pen.globalAlpha = faded ? 0.45 : 1;
      if (map.mask[point]) {
        pen.fillStyle = map.colours.text;
        pen.fillRect(x - size / 2 - edge - 1, y - size / 2 - edge - 1, size + 2 * edge + 2, size + 2 * edge + 2);
      }
      pen.fillStyle = faded ? map.data.hues.grey : map.data.palette[map.shades[point]];
      pen.fillRect(x - size / 2 - edge, y - size / 2 - edge, size + 2 * edge, size + 2 * edge);
      pen.drawImage(image, x - size / 2, y - size / 2, size, size);
    }
    pen.globalAlpha = 1;
  }

  circle(view, [x, y], radius, colour, width) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(...view.camera.toScreen(x, y), radius, 0, 2 * Math.PI);
    pen.stroke();
  }

  // The point under the mouse, in every view: where did it go in the other one?
  hovered(view, map) {
    if (map.hovered < 0) return;
    const pictured = view.faces.includes(map.hovered) && map.faces.of(map.hovered);
    const radius = pictured ? 0.75 * view.face : Math.max(dots(view.camera, map.data.count).size, 6) / 2 + 3;
    this.circle(view, view.planeOf(map.hovered), radius, map.colours.text, 1.6);
  }

  // As many names as find room, the larger crowds first; more as the zoom grows. Returns how many.
  names(view, colours) {
    const { pen } = this;
    const { camera } = view;
    const most = (NAMES * camera.width * camera.height * Math.max(camera.zoom, 1) ** 1.3) / 1e6;
    const taken = [];
    pen.font = `600 12px ${colours.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 3;
    pen.strokeStyle = colours.ground;
    pen.fillStyle = colours.text;
    for (const [name, planeX, planeY, whole] of view.names) {
      if (taken.length >= most) break;
      const [at, below] = camera.toScreen(planeX, planeY);
      if (at < 0 || below < LIFT || at > camera.width || below - LIFT > camera.height) continue;
      if (!this.widths.has(name)) this.widths.set(name, pen.measureText(name).width);
      const widest = Math.min(WIDEST, camera.width - 2 * BORDER);
      const half = Math.min(this.widths.get(name), widest) / 2 + BORDER;
      const x = clamp(at, half, camera.width - half);
      const y = clamp(below - LIFT, HIGH, camera.height - HIGH);
      if (taken.some(([otherX, otherY, other]) => Math.abs(x - otherX) < half + other && Math.abs(y - otherY) < 20)) continue;
      const shown = this.cut(name, widest);
      taken.push([x, y, half, shown === whole ? "" : whole]);
      pen.strokeText(shown, x, y);
      pen.fillText(shown, x, y);
    }
    view.shownNames = taken;
    return taken.length;
  }

  // As much of a name as has room.
  cut(name, widest) {
    if (this.widths.get(name) <= widest) return name;
    const letters = [...name];
    while (letters.length > 1 && this.pen.measureText(`${letters.join("")}…`).width > widest) letters.pop();
    return `${letters.join("")}…`;
  }

  // The whole name where a cut one is drawn, or "".
  nameAt(view, px, py) {
    const under = ([x, y, half]) => Math.abs(px - x) < half && Math.abs(py - y) < 10;
    return view.shownNames?.find(under)?.[3] ?? "";
  }

  title(view, colours) {
    if (!view.title) return;
    const { pen } = this;
    pen.font = `600 13px ${colours.font}`;
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.lineWidth = 4;
    pen.strokeStyle = colours.ground;
    pen.fillStyle = colours.text;
    const y = view.top === 0 && view.camera.width < NARROW ? 46 : 10; // clear of the buttons
    pen.strokeText(view.title, 10, y);
    pen.fillText(view.title, 10, y);
  }

  area(view, draft, colour) {
    const { pen } = this;
    const corners = draft.outline().map(([x, y]) => view.camera.toScreen(x, y));
    if (!corners.length) return;
    pen.beginPath();
    corners.forEach((corner) => pen.lineTo(...corner));
    pen.closePath();
    pen.strokeStyle = colour;
    pen.fillStyle = colour;
    pen.lineWidth = 1.5;
    pen.globalAlpha = 0.1;
    pen.fill();
    pen.globalAlpha = 0.9;
    pen.stroke();
    pen.globalAlpha = 1;
  }

  cross(view, colours) {
    const { pen } = this;
    const { width, height } = view.camera;
    pen.strokeStyle = colours.text;
    pen.lineWidth = 1.2;
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(width / 2 + 4 * dx, height / 2 + 4 * dy);
      pen.lineTo(width / 2 + 13 * dx, height / 2 + 13 * dy);
    }
    pen.stroke();
  }

  // Thin lines between views.
  parting(map) {
    const { pen } = this;
    pen.fillStyle = map.colours.border;
    for (const { left, top, camera } of map.views.slice(1)) {
      if (top > 0) pen.fillRect(0, top - 6, camera.width, 1);
      else pen.fillRect(left - 6, 0, 1, camera.height);
    }
  }
}
