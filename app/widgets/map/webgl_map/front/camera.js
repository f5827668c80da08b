// What part of the plane a view shows. Screen: pixels of the view's box, y down. Plane: data coordinates, y up.

const MOST = 400; // times closer than the opening view; beyond that, two bytes an axis show as a grid
const LEAST = 0.6; // of the zoom that shows all points
const ROOM = 2; // times as wide as the points that are framed
const SMALLEST = 1 / 60; // of the opening view, that is framed
const MARGIN = 0.94; // of the box that the points fill in the opening view

export class Camera {
  // `home` is what the opening view shows, `whole` holds all points: [low, high] corners of the plane.
  constructor(home, whole) {
    this.home = home;
    this.whole = whole;
    this.span = home[0].map((low, axis) => Math.max(home[1][axis] - low, 1e-6));
    this.width = this.height = 1;
    this.above = 0; // px at the top that the opening view leaves to the buttons
    this.fit();
  }

  // The opening view.
  fit() {
    this.zoom = 1;
    [this.x, this.y] = this.middle(...this.home);
  }

  get fitted() {
    const [x, y] = this.middle(...this.home);
    return this.zoom === 1 && this.x === x && this.y === y;
  }

  // Show all points.
  all() {
    this.show(...this.whole, 1);
  }

  // Show what lies between two corners of the plane, with room around it.
  frame(low, high) {
    const least = Math.max(...this.span) * SMALLEST;
    const middle = low.map((from, axis) => (from + high[axis]) / 2);
    const half = low.map((from, axis) => Math.max(high[axis] - from, least) / 2);
    this.show(middle.map((at, axis) => at - half[axis]), middle.map((at, axis) => at + half[axis]), ROOM);
  }

  show(low, high, room) {
    this.zoom = 1;
    const [width, height] = low.map((from, axis) => Math.max(high[axis] - from, 1e-6) * room);
    const scale = MARGIN * Math.min(this.width / width, (this.height - this.above) / height);
    this.zoom = clamp(scale / this.scale, this.least, MOST);
    [this.x, this.y] = this.middle(low, high);
  }

  // Where the camera looks when a box of the plane lies in the middle of what the buttons leave.
  middle(low, high) {
    return [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2 + this.above / 2 / this.scale];
  }

  resize(width, height, above) {
    const { fitted } = this;
    this.width = Math.max(width, 1);
    this.above = Math.min(above, height / 3);
    this.height = Math.max(height, 1);
    if (fitted) this.fit();
  }

  // Pixels a unit of the plane, the same on both axes: distances on the map can be compared by eye.
  get scale() {
    return this.zoom * MARGIN * Math.min(this.width / this.span[0], (this.height - this.above) / this.span[1]);
  }

  get least() {
    const [low, high] = this.whole;
    return LEAST * Math.min(1, ...this.span.map((span, axis) => span / Math.max(high[axis] - low[axis], 1e-6)));
  }

  toScreen(x, y) {
    return [this.width / 2 + (x - this.x) * this.scale, this.height / 2 - (y - this.y) * this.scale];
  }

  toPlane(px, py) {
    return [this.x + (px - this.width / 2) / this.scale, this.y - (py - this.height / 2) / this.scale];
  }

  pan(dx, dy) {
    const [low, high] = this.whole;
    this.x = clamp(this.x - dx / this.scale, low[0], high[0]);
    this.y = clamp(this.y + dy / this.scale, low[1], high[1]);
  }

  // Zoom by a factor; what lies under (px, py) stays there.
  zoomAt(px, py, factor) {
    const [x, y] = this.toPlane(px, py);
    this.zoom = clamp(this.zoom * factor, this.least, MOST);
    const [nowX, nowY] = this.toPlane(px, py);
    this.x += x - nowX;
    this.y += y - nowY;
    this.pan(0, 0);
  }

  like(other) {
    if (other.fitted) {
      this.fit();
      return;
    }
    this.zoom = other.zoom;
    this.x = other.x;
    this.y = other.y;
    this.pan(0, 0);
  }
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
