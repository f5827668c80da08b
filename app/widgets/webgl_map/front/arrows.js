// Arrows at the edge of a view to the points that lie outside it: how many, and a click goes there. They stand for points
// outside the opening view and, once it is out of sight, for the crowd in it.

const ARROW = '<svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" stroke-width="1.8" '
  + 'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M2.500 8h11M9 3.500L13.500 8 9 12.500"></path></svg>';
const EDGE = 8; // px from the edge of the view
const ABOVE = 30; // px at the bottom, where the note is
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
  show(views) {
    const wanted = new Set();
    let count = 0;
    views.forEach((view, v) => {
      for (const group of groups(view)) {
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
    const told = count.toLocaleString("en");
    const sides = [up > 0 ? "above" : up < 0 ? "below" : "", across > 0 ? "right" : across < 0 ? "left" : ""];
    const title = `${told} ${count === 1 ? "sample lies" : "samples lie"} outside, ${sides.filter(Boolean).join(" and ")}: go there`;
    if (button.title !== title) {
      button.title = title;
      button.setAttribute("aria-label", title);
      button.lastChild.textContent = told;
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

// What lies outside the view, by the side on which it does; `points` is null where the opening view is among it.
function groups(view) {
  const { camera, places, outer } = view;
  const crowd = places.length / 2 - outer.length;
  if (!outer.length) return [];
  const [left, bottom] = camera.toPlane(0, camera.height);
  const [right, top] = camera.toPlane(camera.width, 0);
  const found = new Map();
  const group = (x, y) => {
    const [across, up] = [x < left ? -1 : x > right ? 1 : 0, y < bottom ? -1 : y > top ? 1 : 0];
    if (!across && !up) return null;
    const key = 3 * up + across;
    if (!found.has(key)) found.set(key, { across, up, count: 0, points: [], x: 0, y: 0 });
    return found.get(key);
  };
  const add = (to, x, y, count) => {
    to.count += count;
    to.x += x * count;
    to.y += y * count;
  };
  for (const point of outer) {
    const at = view.planeOf(point);
    const to = group(...at);
    if (!to) continue;
    add(to, ...at, 1);
    to.points.push(point);
  }
  const [low, high] = camera.home;
  if (low[0] > right || high[0] < left || low[1] > top || high[1] < bottom) {
    const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
    const to = group(...middle) ?? group(low[0] > right ? high[0] : low[0], low[1] > top ? high[1] : low[1]);
    if (to) {
      add(to, ...middle, crowd);
      to.points = null;
    }
  }
  const centre = [(left + right) / 2, (bottom + top) / 2];
  return [...found.values()].map((each) => ({
    ...each,
    angle: (Math.atan2(centre[1] - each.y / each.count, each.x / each.count - centre[0]) * 180) / Math.PI,
  }));
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
