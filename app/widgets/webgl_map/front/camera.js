// What part of the plane a view shows. Screen: pixels of the view's box, y down. Plane: data coordinates, y up.

const MOST = 400; // times closer than all points at once; beyond that, two bytes an axis show as a grid
const LEAST = 0.6;
const ROOM = 2; // times as wide as the points that are framed
const MARGIN = 0.94; // of the box that the points fill when all are shown

export class Camera {
  constructor(low, span) {
    this.low = low;
    this.span = span;
    this.width = this.height = 1;
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.x = this.low[0] + this.span[0] / 2;
    this.y = this.low[1] + this.span[1] / 2;
  }

  get fitted() {
    return this.zoom === 1 && this.x === this.low[0] + this.span[0] / 2 && this.y === this.low[1] + this.span[1] / 2;
  }

  // Show what lies between two corners of the plane, with room around it.
  frame(low, high) {
    this.fit();
    const [width, height] = this.span.map((whole, axis) => Math.max(high[axis] - low[axis], whole / 60) * ROOM);
    this.zoom = clamp(Math.min(this.width / width, this.height / height) / this.scale, LEAST, MOST);
    this.x = (low[0] + high[0]) / 2;
    this.y = (low[1] + high[1]) / 2;
  }

  resize(width, height) {
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
  }

  // Pixels a unit of the plane, the same on both axes: distances on the map can be compared by eye.
  get scale() {
    return this.zoom * MARGIN * Math.min(this.width / this.span[0], this.height / this.span[1]);
  }

  toScreen(x, y) {
    return [this.width / 2 + (x - this.x) * this.scale, this.height / 2 - (y - this.y) * this.scale];
  }

  toPlane(px, py) {
    return [this.x + (px - this.width / 2) / this.scale, this.y - (py - this.height / 2) / this.scale];
  }

  pan(dx, dy) {
    this.x = clamp(this.x - dx / this.scale, this.low[0], this.low[0] + this.span[0]);
    this.y = clamp(this.y + dy / this.scale, this.low[1], this.low[1] + this.span[1]);
  }

  // Zoom by a factor; what lies under (px, py) stays there.
  zoomAt(px, py, factor) {
    const [x, y] = this.toPlane(px, py);
    this.zoom = clamp(this.zoom * factor, LEAST, MOST);
    const [nowX, nowY] = this.toPlane(px, py);
    this.x += x - nowX;
    this.y += y - nowY;
    this.pan(0, 0);
  }

  like(other) {
    this.zoom = other.zoom;
    this.x = other.x;
    this.y = other.y;
    this.pan(0, 0);
  }
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
