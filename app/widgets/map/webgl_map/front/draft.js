// An area being drawn, in plane coordinates, so that it stays in place while the map moves beneath.

const APART = 3; // pixels between the corners of a lasso
const MOST = 1500; // corners
const SLACK = 1; // px by which a corner may be off a straight line to be left out

export class Draft {
  constructor(view, kind, mode, at) {
    this.view = view;
    this.kind = kind; // "box" or "lasso"
    this.mode = mode; // "new", "add" or "subtract"
    this.corners = [at];
    this.loose = at; // where the mouse or the crosshair is
  }

  // Follow the mouse; a lasso leaves corners behind.
  moveTo(at) {
    this.loose = at;
    if (this.kind === "lasso" && this.distance(at, this.corners.at(-1)) >= APART) this.pin(at);
  }

  pin(at) {
    if (this.corners.length < MOST) this.corners.push(at);
  }

  distance(one, other) {
    const [x1, y1] = this.view.camera.toScreen(...one);
    const [x2, y2] = this.view.camera.toScreen(...other);
    return Math.hypot(x2 - x1, y2 - y1);
  }

  // The corners as they are drawn.
  outline() {
    if (this.kind === "lasso") return [...this.corners, this.loose];
    const [[x1, y1], [x2, y2]] = [this.corners[0], this.loose];
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
  }

  // The corners without those that make no difference of a pixel: what is selected by, here and in Python.
  polygon() {
    const corners = this.outline();
    return this.kind === "lasso" ? straightened(corners, (one, other, at) => this.offLine(one, other, at)) : corners;
  }

  // Pixels from a corner to the line between two others.
  offLine(one, other, at) {
    const [[x1, y1], [x2, y2], [x, y]] = [one, other, at].map((corner) => this.view.camera.toScreen(...corner));
    const length = Math.hypot(x2 - x1, y2 - y1);
    return length < 1e-9 ? Math.hypot(x - x1, y - y1) : Math.abs((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / length;
  }
}

// Douglas and Peucker: keep the corner farthest from the line between the ends, and go on on both sides of it.
function straightened(corners, offLine) {
  if (corners.length < 3) return corners;
  let [most, farthest] = [0, 0];
  for (let k = 1; k < corners.length - 1; k++) {
    const off = offLine(corners[0], corners.at(-1), corners[k]);
    if (off > most) [most, farthest] = [off, k];
  }
  if (most < SLACK) return [corners[0], corners.at(-1)];
  const [before, after] = [corners.slice(0, farthest + 1), corners.slice(farthest)];
  return [...straightened(before, offLine).slice(0, -1), ...straightened(after, offLine)];
}
