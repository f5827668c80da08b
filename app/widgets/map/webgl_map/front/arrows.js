// Arrows at the edge of a view to all points that lie outside it: how many, and a click goes there: to points outside the
// opening view, or back to that view. A view without any point so has an arrow at least.

const ARROW = '<svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" stroke-width="1.8" '
  + 'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M2.500 8h11M9 3.500L13.500 8 9 12.500"></path></svg>';
const EDGE = 8; // px from the edge of the view
const ABOVE = 30; // px at the bottom, where the note is
const MANY = 300000; // points that are not counted again in every frame of a movement
const APART = 0.5; // of the opening view's extent: points nearer to each other are gone to together

export class Arrows {
  // `go` is called with (view, [low, high]), or (view, null) for the opening view.
  constructor(parent, go) {
    this.element = parent.appendChild(document.createElement("div"));
    this.element.className = "arrows";
    this.go = go;
    this.buttons = new Map(); // by view and side
  }

  // The buttons that belong to what the views show now. Returns how many points they stand for.
  show(views, moving) {
    const wanted = new Set();
    let count = 0;
    views.forEach((view, v) => {
      for (const group of groups(view, moving)) {
        const key = `${v} ${group.across} ${group.up}`;
        wanted.add(key);
        count += group.count;
        this.place(this.buttons.get(key) ?? this.add(key), view, group);
      }
    });
    for (const [key, button] of this.buttons) {
      if (wanted.has(key)) continue;
      if (button.matches(":focus")) this.element.parentElement.focus();
      button.remove();
      this.buttons.delete(key);
    }
    return count;
  }

  add(key) {
    const button = this.element.appendChild(document.createElement("button"));
    button.type = "button";
    button.innerHTML = `${ARROW}<span></span>`;
    this.buttons.set(key, button);
    return button;
  }

  place(button, view, { across, up, count, angle, points }) {
    const { camera, left, top } = view;
    const text = count.toLocaleString("en");
    const sides = [up > 0 ? "above" : up < 0 ? "below" : "", across > 0 ? "right" : across < 0 ? "left" : ""];
    const title = `${text} ${count === 1 ? "sample lies" : "samples lie"} outside, ${sides.filter(Boolean).join(" and ")}: go there`;
    if (button.title !== title) {
      button.title = title;
      button.setAttribute("aria-label", title);
      button.lastChild.textContent = text;
    }
    button.dataset.count = count;
    button.firstChild.style.transform = `rotate(${angle}deg)`;
    const x = across < 0 ? left + EDGE : across > 0 ? left + camera.width - EDGE : left + camera.width / 2;
    const room = Math.max(camera.above, EDGE);
    const y = up > 0 ? top + room : up < 0 ? top + camera.height - ABOVE : top + (room + camera.height - ABOVE) / 2;
    const own = `translate(${-50 * (1 + across)}%, ${up > 0 ? 0 : up < 0 ? -100 : -50}%)`;
    button.style.transform = `translate(${x}px, ${y}px) ${own}`;
    button.onclick = () => this.go(view, points && nearest(view, points));
  }
}

// What lies outside the view, by the side on which it does; `points` is null where some of the opening view are among it.
function groups(view, moving) {
  const { camera, places } = view;
  const seen = `${camera.x} ${camera.y} ${camera.zoom} ${camera.width} ${camera.height}`;
  const stale = moving && places.length / 2 > MANY;
  if (view.counted?.seen !== seen && !(stale && view.counted)) view.counted = { seen, groups: counted(view) };
  return view.counted.groups;
}

function counted(view) {
  const { camera, places, outer } = view;
  const [left, bottom] = camera.toPlane(0, camera.height);
  const [right, top] = camera.toPlane(camera.width, 0);
  const found = new Map();
  const group = (across, up) => {
    const key = 3 * up + across;
    if (!found.has(key)) found.set(key, { across, up, count: 0, points: [], x: 0, y: 0 });
    return found.get(key);
  };
  const sideOf = (x, y) => [x < left ? -1 : x > right ? 1 : 0, y < bottom ? -1 : y > top ? 1 : 0];
  const add = (to, x, y, count) => {
    to.count += count;
    to.x += x * count;
    to.y += y * count;
  };
  for (const point of outer) {
    const at = view.planeOf(point);
    const side = sideOf(...at);
    if (!side[0] && !side[1]) continue;
    const to = group(...side);
    add(to, ...at, 1);
    to.points.push(point);
  }
  const [low, high] = camera.home;
  const cut = low[0] < left || high[0] > right || low[1] < bottom || high[1] > top;
  if (low[0] > right || high[0] < left || low[1] > top || high[1] < bottom) {
    const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
    let side = sideOf(...middle);
    if (!side[0] && !side[1]) side = sideOf(low[0] > right ? high[0] : low[0], low[1] > top ? high[1] : low[1]);
    const to = group(...side);
    add(to, ...middle, places.length / 2 - outer.length);
    to.points = null;
  } else if (cut) crowdBySide(view, [left, bottom], [right, top], (across, up, x, y, count) => {
    const to = group(across, up);
    add(to, x, y, count);
    to.points = null;
  });
  const centre = [(left + right) / 2, (bottom + top) / 2];
  return [...found.values()].map((each) => ({
    ...each,
    angle: (Math.atan2(centre[1] - each.y / each.count, each.x / each.count - centre[0]) * 180) / Math.PI,
  }));
}

// Calls `each` with (across, up, mean x, mean y, count) for the sides on which points of the opening view lie.
function crowdBySide(view, low, high, each) {
  const { places, outer } = view;
  const [[left, bottom], [right, top]] = [view.steps(low), view.steps(high)];
  const tally = new Float64Array(27); // by side: count, sum of x, sum of y
  let next = 0; // of `outer`, which ascends
  for (let point = 0; point < places.length / 2; point++) {
    if (outer[next] === point) {
      next++;
      continue;
    }
    const [x, y] = [places[2 * point], places[2 * point + 1]];
    const side = 3 * (4 + (x < left ? -1 : x > right ? 1 : 0) + 3 * (y < bottom ? -1 : y > top ? 1 : 0));
    tally[side] += 1;
    tally[side + 1] += x;
    tally[side + 2] += y;
  }
  for (let side = 0; side < 9; side++) {
    const [count, x, y] = tally.subarray(3 * side, 3 * side + 3);
    if (side !== 4 && count) each((side % 3) - 1, Math.floor(side / 3) - 1, ...view.plane(x / count, y / count), count);
  }
}

// The corners of those of the points that are nearest to the view, up to the first wide gap.
function nearest(view, points) {
  const { camera } = view;
  const far = (at, axis) => {
    const half = (axis ? camera.height : camera.width) / 2 / camera.scale;
    return Math.max(Math.abs(at[axis] - (axis ? camera.y : camera.x)) - half, 0);
  };
  const found = points.map((point) => view.planeOf(point)).map((at) => [Math.hypot(far(at, 0), far(at, 1)), at]);
  found.sort((one, other) => one[0] - other[0]);
  const gap = APART * Math.max(...camera.span);
  const end = found.findIndex(([distance], k) => k > 0 && distance - found[k - 1][0] > gap);
  const near = (end < 0 ? found : found.slice(0, end)).map(([, at]) => at);
  return [0, 1].map((corner) => [0, 1].map((axis) =>
    near.reduce((most, at) => (corner ? Math.max : Math.min)(most, at[axis]), near[0][axis])));
}
