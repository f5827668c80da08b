// One view: a box of the canvas with a camera and the places of the points.

import { Camera } from "./camera.js";
import { Grid } from "./search.js";

export const cameras = new Map(); // by key and coordinates: where a page was left

export class MapBox {
  constructor(data, places, key) {
    this.key = key;
    this.low = data.low;
    this.span = data.span;
    this.unit = data.unit; // a place counts in span / unit from low
    this.places = places;
    this.outer = outside(data.home.map((corner) => this.steps(corner)), data.unit, places);
    this.camera = new Camera(data.home, this.extent(data.home));
    if (cameras.has(key)) this.camera.like(cameras.get(key));
    this.names = [];
    this.faces = [];
    this.left = this.top = 0;
  }

  update(data) {
    this.data = data;
    this.title = data.title;
    this.lines = data.lines;
    this.ring = data.ring;
  }

  get grid() {
    this.madeGrid ??= new Grid(this.places, this.unit);
    return this.madeGrid;
  }

  // The corners of what holds the opening view and all points outside it.
  extent([low, high]) {
    const found = [[...low], [...high]];
    for (const point of this.outer) {
      this.planeOf(point).forEach((at, axis) => {
        found[0][axis] = Math.min(found[0][axis], at);
        found[1][axis] = Math.max(found[1][axis], at);
      });
    }
    return found;
  }

  steps([x, y]) {
    const { low, span, unit } = this;
    return [((x - low[0]) / span[0]) * unit, ((y - low[1]) / span[1]) * unit];
  }

  plane(x, y) {
    const { low, span, unit } = this;
    return [low[0] + (span[0] * x) / unit, low[1] + (span[1] * y) / unit];
  }

  planeOf(point) {
    return this.plane(this.places[2 * point], this.places[2 * point + 1]);
  }

  screenOf(point) {
    return this.camera.toScreen(...this.planeOf(point));
  }

  nearest(px, py, reach) {
    const { span, unit } = this;
    const { scale } = this.camera;
    const place = this.steps(this.camera.toPlane(px, py));
    return this.grid.nearest(...place, (reach / scale / span[0]) * unit, (reach / scale / span[1]) * unit);
  }

  // Up to `most` points in sight, or up to `margin` px out of it; null if there are more.
  inSight(most, margin = 0) {
    const [left, bottom] = this.steps(this.camera.toPlane(-margin, this.camera.height + margin));
    const [right, top] = this.steps(this.camera.toPlane(this.camera.width + margin, -margin));
    return this.grid.within(left, right, bottom, top, most);
  }
}

// Points outside the opening view; with two-byte coordinates there are none.
function outside([low, high], unit, places) {
  const found = [];
  if (unit > 1) return found;
  for (let i = 0; i < places.length; i += 2) {
    // Rounded to four bytes as the points are, an edge of the view is where its outermost point is.
    const [x, y] = [places[i], places[i + 1]];
    if (x < Math.fround(low[0]) || x > Math.fround(high[0]) || y < Math.fround(low[1]) || y > Math.fround(high[1])) {
      found.push(i / 2);
    }
  }
  return found;
}
