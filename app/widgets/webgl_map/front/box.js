// One view: a box of the canvas with a camera and the places of the points.

import { Camera } from "./camera.js";
import { Grid } from "./search.js";

export const cameras = new Map(); // by key and coordinates: where a page was left

export class MapBox {
  constructor(told, places, key) {
    this.key = key;
    this.camera = new Camera(told.low, told.span);
    if (cameras.has(key)) this.camera.like(cameras.get(key));
    this.places = places;
    this.names = [];
    this.faces = [];
    this.left = this.top = 0;
  }

  tell(told) {
    this.told = told;
    this.title = told.title;
    this.lines = told.lines;
    this.ring = told.ring;
  }

  get grid() {
    this.madeGrid ??= new Grid(this.places);
    return this.madeGrid;
  }

  steps([x, y]) {
    const { low, span } = this.camera;
    return [((x - low[0]) / span[0]) * 65535, ((y - low[1]) / span[1]) * 65535];
  }

  planeOf(point) {
    const { low, span } = this.camera;
    return [low[0] + (span[0] * this.places[2 * point]) / 65535, low[1] + (span[1] * this.places[2 * point + 1]) / 65535];
  }

  screenOf(point) {
    return this.camera.toScreen(...this.planeOf(point));
  }

  nearest(px, py, reach) {
    const { span, scale } = this.camera;
    const place = this.steps(this.camera.toPlane(px, py));
    return this.grid.nearest(...place, (reach / scale / span[0]) * 65535, (reach / scale / span[1]) * 65535);
  }

  inSight(most) {
    const [left, bottom] = this.steps(this.camera.toPlane(0, this.camera.height));
    const [right, top] = this.steps(this.camera.toPlane(this.camera.width, 0));
    return this.grid.within(left, right, bottom, top, most);
  }
}
