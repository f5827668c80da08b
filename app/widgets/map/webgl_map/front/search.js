// Which points: the nearest to a place, those in a box, those in a polygon. Places are in steps of the axes.

const CELLS = 256; // an axis of the grid, over 0 to `unit`; what lies outside is in the cells at its edge
const STRIPS = 512; // into which a polygon's edges are sorted by height

// A grid over the points, so that a mouse move looks at those near it alone.
export class Grid {
  constructor(xy, unit) {
    this.xy = xy;
    this.perStep = CELLS / unit;
    const count = xy.length / 2;
    const cell = new Uint16Array(count);
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (let i = 0; i < count; i++) {
      cell[i] = this.cellOf(xy[2 * i + 1]) * CELLS + this.cellOf(xy[2 * i]);
      this.starts[cell[i] + 1]++;
    }
    for (let c = 0; c < CELLS * CELLS; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.order = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.order[next[cell[i]]++] = i;
  }

  cellOf(step) {
    return Math.min(Math.max(Math.floor(step * this.perStep), 0), CELLS - 1);
  }

  // Calls visit(point) for all points in a box, and may be told to stop by visit returning true.
  each(lowX, highX, lowY, highY, visit) {
    const { xy, order, starts } = this;
    const [left, right, last] = [this.cellOf(lowX), this.cellOf(highX), this.cellOf(highY)];
    for (let line = this.cellOf(lowY); line <= last; line++) {
      for (let k = starts[line * CELLS + left]; k < starts[line * CELLS + right + 1]; k++) {
        const i = order[k];
        const x = xy[2 * i];
        const y = xy[2 * i + 1];
        if (x >= lowX && x <= highX && y >= lowY && y <= highY && visit(i)) return;
      }
    }
  }

  // The point nearest to (x, y) within rx and ry, which make a circle on the screen; -1 if there is none.
  nearest(x, y, rx, ry) {
    let best = 1;
    let found = -1;
    this.each(x - rx, x + rx, y - ry, y + ry, (i) => {
      const dx = (this.xy[2 * i] - x) / rx;
      const dy = (this.xy[2 * i + 1] - y) / ry;
      if (dx * dx + dy * dy < best) {
        best = dx * dx + dy * dy;
        found = i;
      }
    });
    return found;
  }

  // Up to `most` points in a box; null if there are more.
  within(lowX, highX, lowY, highY, most) {
    const found = [];
    this.each(lowX, highX, lowY, highY, (i) => found.push(i) > most);
    return found.length > most ? null : found;
  }
}

// For each point whether it lies in the polygon [[x, y], ...] by the even-odd rule: 0 or 1.
export function inside(xy, polygon) {
  const count = xy.length / 2;
  const found = new Uint8Array(count);
  if (polygon.length < 3) return found;
  const xs = polygon.map((corner) => corner[0]);
  const ys = polygon.map((corner) => corner[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
  const perStrip = STRIPS / Math.max(top - bottom, 1e-9);
  const strip = (y) => Math.min(Math.floor((y - bottom) * perStrip), STRIPS - 1);
  const strips = Array.from({ length: STRIPS }, () => []);
  polygon.forEach(([x1, y1], k) => {
    const [x2, y2] = polygon[(k + 1) % polygon.length];
    if (y1 === y2) return;
    for (let s = strip(Math.min(y1, y2)); s <= strip(Math.max(y1, y2)); s++) strips[s].push(x1, y1, x2, y2);
  });
  for (let i = 0; i < count; i++) {
    const x = xy[2 * i];
    const y = xy[2 * i + 1];
    if (x < left || x > right || y < bottom || y > top) continue;
    const edges = strips[strip(y)];
    let odd = 0;
    for (let e = 0; e < edges.length; e += 4) {
      const y1 = edges[e + 1];
      const y2 = edges[e + 3];
      if (y1 > y !== y2 > y && x < edges[e] + ((y - y1) * (edges[e + 2] - edges[e])) / (y2 - y1)) odd ^= 1;
    }
    found[i] = odd;
  }
  return found;
}
