// The film: points glide from one recorded moment to the next on a canvas; the marked ones leave a trail.
// Everything that moves is here; Python hears of the moment at which the film rests, and of what is selected.

const PLAY = '<svg viewBox="0 0 16 16"><path d="M4 2l10 6-10 6z"/></svg>';
const PAUSE = '<svg viewBox="0 0 16 16"><path d="M3 2h4v12H3zM9 2h4v12H9z"/></svg>';
const SPEEDS = [1, 2, 0.5];
const MARGIN = 14; // px around the points
const REACH = 12; // px within which a pointer finds a point
const BUTTONS = 34; // px at the top of the stage where its button is, if some points lie far off
const ARROWS = { "-1 1": "↖", "0 1": "↑", "1 1": "↗", "-1 0": "←", "1 0": "→", "-1 -1": "↙", "0 -1": "↓", "1 -1": "↘" };
const PARTS = 6; // straight pieces of a trail between two moments
const MOST_TRAILS = 300;

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".film");
  root.film ??= new Film(root);
  root.film.tell = { moment: (step) => setTriggerValue("moment", step), pick: (picked) => setTriggerValue("picked", picked) };
  root.film.show(data);
  return () => root.film.rest();
}

class Film {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.pen = this.canvas.getContext("2d");
    this.playing = false;
    this.speed = 0;
    this.hovered = null;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.part = (name) => root.querySelector(name);
    this.part(".play").onclick = () => this.toggle();
    this.part(".speed").onclick = () => {
      this.speed = (this.speed + 1) % SPEEDS.length;
      this.label();
    };
    const slider = this.part("input");
    slider.oninput = () => {
      this.pause(false);
      this.seek(this.first + (slider.value / 1000) * (this.last - this.first));
    };
    slider.onchange = () => this.settle();
    this.part(".whole").onclick = () => this.showAll(!this.all);
    this.point();
    new ResizeObserver(() => this.fit()).observe(this.part(".stage"));
    this.keys = (event) => this.key(event);
    window.addEventListener("keydown", this.keys);
  }

  // What Python sent -------------------------------------------------------------------------------------------------

  show(data) {
    const fresh = this.data?.film !== data.film;
    this.data = data;
    if (fresh) {
      const bytes = Uint8Array.from(atob(data.xy), (letter) => letter.charCodeAt(0));
      this.xy = new (data.unit > 1 ? Uint16Array : Float32Array)(bytes.buffer); // moment, point, axis
      this.count = data.ids.length;
      this.steps = data.steps;
      this.first = this.steps[0];
      this.last = this.steps[this.steps.length - 1];
      this.everyone = [...Array(this.count).keys()];
      this.now = new Float32Array(2 * this.count); // places, 0..1 in the part that the film opens on
      this.frame(false);
      this.track();
    }
    if (fresh || data.moment !== this.asked) {
      this.asked = data.moment;
      this.pause(false);
      this.seek(data.moment);
    }
    this.label();
    this.fit();
  }

  track() {
    const across = (step) => (100 * (step - this.first)) / Math.max(this.last - this.first, 1);
    this.part(".bands").replaceChildren(...this.data.phases.map(([from, to, words, whole, shade]) => {
      const band = document.createElement("div");
      const [left, right] = [across(Math.max(from, this.first)), across(Math.min(to, this.last))];
      band.style.cssText = `left: ${left}%; width: ${Math.max(right - left, 0)}%; --shade: ${shade}`;
      band.textContent = words;
      band.title = whole;
      return band;
    }));
    this.part(".moments").replaceChildren(...this.steps.map((step) => {
      const mark = document.createElement("i");
      mark.style.left = `${across(step)}%`;
      return mark;
    }));
    const values = this.data.recall.map(([, value]) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const height = (value) => 100 - (100 * (value - low)) / Math.max(high - low, 1e-6);
    this.part(".curve").setAttribute(
      "points", this.data.recall.map(([step, value]) => `${10 * across(step)},${height(value)}`).join(" "));
  }

  // Time -------------------------------------------------------------------------------------------------------------

  seek(step) {
    this.step = Math.min(Math.max(step, this.first), this.last);
    let moment = this.steps.findLastIndex((at) => at <= this.step);
    moment = Math.min(Math.max(moment, 0), Math.max(this.steps.length - 2, 0));
    const from = this.steps[moment];
    const to = this.steps[Math.min(moment + 1, this.steps.length - 1)];
    this.moment = moment;
    this.share = to > from ? (this.step - from) / (to - from) : 0;
    this.nearest = this.share < 0.5 ? moment : Math.min(moment + 1, this.steps.length - 1);
    this.draw();
    this.say();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.steps.length < 2) return;
    if (this.step >= this.last) this.seek(this.first);
    this.playing = true;
    this.label();
    const whole = Math.min(Math.max(650 * this.steps.length, 5000), 20000); // ms
    let before = performance.now();
    let held = 0;
    const tick = (time) => {
      if (!this.playing || !this.root.isConnected) return;
      const passed = Math.min(time - before, 100) * SPEEDS[this.speed];
      before = time;
      if (this.still.matches) {
        held += passed;
        if (held > 900) { // no motion: one moment after the other
          held = 0;
          this.seek(this.steps[Math.min(this.nearest + 1, this.steps.length - 1)]);
        }
      } else {
        this.seek(this.step + ((this.last - this.first) * passed) / whole);
      }
      if (this.step >= this.last) this.pause();
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause(settle = true) {
    const was = this.playing;
    this.playing = false;
    this.label();
    if (was && settle) this.settle();
  }

  settle() {
    // Rest at a recorded moment, and let the page know.
    this.seek(this.steps[this.nearest]);
    if (this.asked !== this.step) {
      this.asked = this.step;
      this.tell.moment(this.step);
    }
  }

  go(step) {
    this.pause(false);
    this.seek(step);
    clearTimeout(this.later); // a key held down is one way, said at its end
    this.later = setTimeout(() => this.settle(), 250);
  }

  rest() {
    this.playing = false;
    window.removeEventListener("keydown", this.keys);
    this.root.film = undefined;
  }

  key(event) {
    const path = event.composedPath();
    const elsewhere = path.find((node) => node instanceof Element && node.matches(
      "input:not([type=range]), textarea, select, [contenteditable], [role=combobox], [role=listbox], [role=dialog]"));
    const button = path.find((node) => node instanceof Element && node.matches("button, a, [role=radio]"));
    if (elsewhere || event.ctrlKey || event.metaKey || event.altKey || !this.root.isConnected) return;
    if (event.key === " " && !button) this.toggle();
    else if (event.key === "ArrowLeft") this.go(this.steps.findLast((step) => step < this.step) ?? this.first);
    else if (event.key === "ArrowRight") this.go(this.steps.find((step) => step > this.step) ?? this.last);
    else if (event.key === "Home" && path.includes(this.root)) this.go(this.first);
    else if (event.key === "End" && path.includes(this.root)) this.go(this.last);
    else return;
    event.preventDefault();
  }

  // Words ------------------------------------------------------------------------------------------------------------

  label() {
    this.root.dataset.playing = this.playing;
    this.part(".play").innerHTML = this.playing ? PAUSE : PLAY;
    this.part(".play").setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.part(".speed").textContent = `${SPEEDS[this.speed]}×`.replace("0.5", "½");
  }

  say() {
    const { recall, phases, stepsPerEpoch } = this.data;
    const across = (this.step - this.first) / Math.max(this.last - this.first, 1);
    this.root.dataset.step = this.step;
    this.part(".head").style.left = `${100 * across}%`;
    this.part("input").value = 1000 * across;
    this.part("input").setAttribute("aria-valuetext", `step ${Math.round(this.step)}`);
    const cell = (value, name) => `<div><div class="value">${value}</div><div class="name">${name}</div></div>`;
    const cells = [
      cell((this.step / stepsPerEpoch).toFixed(1), "epoch"),
      cell(Math.round(this.step).toLocaleString("en"), "training step"),
    ];
    const value = between(recall, this.step);
    if (value !== null) cells.push(cell(`${(100 * value).toFixed(1)} %`, "held-out Recall@1"));
    const phase = phases.findLast(([from]) => from <= this.step);
    if (phase) cells.push(cell(`<i style="background:${phase[4]}"></i>${phase[2]}`, phase[3].replace(/^.*: /, "")));
    const html = cells.join("");
    if (this.caption !== html) {
      this.caption = html;
      this.part(".caption").setAttribute("aria-live", this.playing ? "off" : "polite");
      this.part(".caption").innerHTML = html;
    }
  }

  // Drawing ----------------------------------------------------------------------------------------------------------

  fit() {
    const { clientWidth: width, clientHeight: height } = this.part(".stage");
    const dots = window.devicePixelRatio || 1;
    if (!width || !this.data) return;
    this.canvas.width = Math.round(width * dots);
    this.canvas.height = Math.round(height * dots);
    this.pen.setTransform(dots, 0, 0, dots, 0, 0);
    // One scale for both axes: turning and mirroring keep distances, so the picture has to as well.
    const [wide, high] = this.data.extent.map((size, axis) => size * (this.high[axis] - this.low[axis]));
    const above = this.data.unit > 1 ? 0 : BUTTONS;
    this.scale = Math.min((width - 2 * MARGIN) / wide, (height - above - 2 * MARGIN) / high);
    this.left = (width - this.scale * wide) / 2;
    this.top = (height + above - this.scale * high) / 2;
    this.draw();
  }

  draw() {
    if (!this.scale || !this.data) return;
    this.far();
    const { pen, count, now } = this;
    const { selected, followed, shades, context } = this.data;
    const colours = this.data.colours[this.data.colours.length > 1 ? this.nearest : 0];
    for (let axis = 0; axis < 2 * count; axis++) now[axis] = this.place(axis, this.moment, this.share);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const lit = new Set(selected);
    const by = (points, dimmed) => {
      const groups = new Map();
      for (const point of points) {
        const shade = dimmed || colours[point] < 0 ? context : shades[colours[point]];
        if (!groups.has(shade)) groups.set(shade, []);
        groups.get(shade).push(point);
      }
      return groups;
    };
    const crowd = this.everyone.filter((point) => !lit.has(point));
    pen.globalAlpha = lit.size ? 0.3 : 0.75;
    for (const [shade, points] of by(crowd, lit.size > 0)) this.dots(points, shade, lit.size ? 2 : 2.6);
    pen.globalAlpha = 1;
    const ink = getComputedStyle(this.root).color;
    const stride = Math.ceil(selected.length / MOST_TRAILS);
    const led = selected.filter((_, place) => place % stride === 0);
    for (const [shade, points] of by(led, false)) this.trail(points, shade);
    for (const [shade, points] of by(selected, false)) this.dots(points, shade, 4.2, true);
    for (const [points, name] of followed) {
      this.trail(points, ink);
      for (const [shade, some] of by(points, false)) this.dots(some, shade, 4.2, true);
      this.name(points, name, ink);
    }
    if (this.hovered !== null) {
      pen.strokeStyle = ink;
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.arc(this.x(now[2 * this.hovered]), this.y(now[2 * this.hovered + 1]), 7, 0, 7);
      pen.stroke();
    }
  }

  name(points, name, ink) {
    // The class's name beside the middle of its points.
    const { pen, now } = this;
    const middle = (axis) => points.map((point) => now[2 * point + axis]).sort((a, b) => a - b)[points.length >> 1];
    pen.font = `600 15px ${getComputedStyle(this.root).fontFamily}`;
    pen.textBaseline = "middle";
    pen.lineWidth = 4;
    pen.strokeStyle = this.ground();
    pen.fillStyle = ink;
    const at = [this.x(middle(0)) + 9, this.y(middle(1)) - 9];
    pen.strokeText(name, ...at);
    pen.fillText(name, ...at);
  }

  ground() {
    return getComputedStyle(this.root).getPropertyValue("--st-background-color") || "#fff";
  }

  dots(points, shade, radius, edged = false) {
    const { pen, now } = this;
    pen.fillStyle = shade;
    pen.beginPath();
    for (const point of points) {
      const [x, y] = [this.x(now[2 * point]), this.y(now[2 * point + 1])];
      pen.moveTo(x + radius, y);
      pen.arc(x, y, radius, 0, 6.2832);
    }
    pen.fill();
    if (edged) {
      pen.strokeStyle = this.ground();
      pen.lineWidth = 0.8;
      pen.stroke();
    }
  }

  trail(points, shade) {
    // The way so far, fainter the longer ago.
    const { pen } = this;
    pen.strokeStyle = shade;
    pen.lineWidth = 1.3;
    pen.lineJoin = "round";
    const thick = points.length > 120 ? 0.35 : 0.65;
    for (let moment = 0; moment <= this.moment; moment++) {
      const until = moment === this.moment ? this.share : 1;
      if (until <= 0) continue;
      pen.globalAlpha = thick * (0.12 + 0.88 * ((moment + 1) / (this.moment + 1)) ** 2);
      pen.beginPath();
      for (const point of points) {
        for (let part = 0; part <= PARTS; part++) {
          const share = (until * part) / PARTS;
          const x = this.x(this.place(2 * point, moment, share));
          const y = this.y(this.place(2 * point + 1, moment, share));
          if (part) pen.lineTo(x, y);
          else pen.moveTo(x, y);
        }
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  place(axis, moment, share) {
    // A Catmull-Rom spline through the moments: no kink where one ends and the next begins.
    const last = this.steps.length - 1;
    const size = 2 * this.count;
    const at = (number) => this.xy[Math.min(Math.max(number, 0), last) * size + axis] / this.data.unit;
    const b = at(moment);
    if (share === 0) return b;
    const c = at(moment + 1);
    if (share === 1) return c;
    const a = at(moment - 1);
    const d = at(moment + 2);
    return b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)));
  }

  x(place) {
    return this.left + (place - this.low[0]) * this.scale * this.data.extent[0];
  }

  y(place) {
    return this.top + (this.high[1] - place) * this.scale * this.data.extent[1];
  }

  showAll(all) {
    this.frame(all);
    this.fit();
  }

  // All points of all moments, or the part on which the film opens, which holds nearly all.
  frame(all) {
    this.all = all;
    [this.low, this.high] = [[0, 0], [1, 1]];
    for (let axis = 0; all && axis < this.xy.length; axis++) {
      const place = this.xy[axis] / this.data.unit;
      this.low[axis % 2] = Math.min(this.low[axis % 2], place);
      this.high[axis % 2] = Math.max(this.high[axis % 2], place);
    }
    const button = this.part(".whole");
    button.hidden = this.data.unit > 1;
    button.setAttribute("aria-pressed", String(all));
  }

  // Arrows to what lies outside now: how many on each side. Each shows all points.
  far() {
    const counts = new Map();
    for (let point = 0; this.data.unit === 1 && !this.all && point < this.count; point++) {
      const [x, y] = [this.now[2 * point], this.now[2 * point + 1]].map((place) => (place < 0 ? -1 : place > 1 ? 1 : 0));
      if (x || y) counts.set(`${x} ${y}`, (counts.get(`${x} ${y}`) ?? 0) + 1);
    }
    const shown = JSON.stringify([...counts].sort());
    if (shown === this.farShown) return;
    this.farShown = shown;
    this.part(".far").replaceChildren(...[...counts].map(([side, count]) => {
      const [x, y] = side.split(" ").map(Number);
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${ARROWS[side]} ${count}`;
      const sides = [y > 0 ? "above" : y < 0 ? "below" : "", x > 0 ? "right" : x < 0 ? "left" : ""].filter(Boolean).join(" and ");
      button.title = `${count} ${count === 1 ? "sample lies" : "samples lie"} outside, ${sides}: show all points`;
      button.setAttribute("aria-label", button.title);
      button.style.cssText = `left: ${50 * (x + 1)}%; top: ${y > 0 ? `${BUTTONS}px` : `${50 * (1 - y)}%`};`
        + ` transform: translate(${-50 * (x + 1)}%, ${y > 0 ? 0 : -50 * (1 - y)}%)`;
      button.onclick = () => this.showAll(true);
      return button;
    }));
  }

  // Pointer ----------------------------------------------------------------------------------------------------------

  point() {
    const stage = this.part(".stage");
    const box = this.part(".box");
    let start = null;
    const here = (event) => {
      const { left, top } = stage.getBoundingClientRect();
      return [event.clientX - left, event.clientY - top];
    };
    stage.onpointerdown = (event) => {
      if (event.button || event.target.closest("button")) return;
      start = here(event);
      stage.setPointerCapture(event.pointerId);
    };
    stage.onpointermove = (event) => {
      const [x, y] = here(event);
      this.hover(start ? null : this.find(x, y));
      if (!start) return;
      const [width, height] = [Math.abs(x - start[0]), Math.abs(y - start[1])];
      box.hidden = width + height < 6;
      box.style.cssText =
        `left: ${Math.min(x, start[0])}px; top: ${Math.min(y, start[1])}px; width: ${width}px; height: ${height}px`;
    };
    stage.onpointerup = (event) => {
      if (!start) return;
      const [x, y] = here(event);
      const one = this.find(x, y);
      const points = box.hidden ? (one === null ? [] : [one]) : this.within(start, [x, y]);
      const how = event.shiftKey ? "add" : event.altKey ? "subtract" : "new";
      if (points.length) this.tell.pick({ ids: points.map((point) => this.data.ids[point]), how });
      start = null;
      box.hidden = true;
    };
    stage.onpointerleave = () => this.hover(null);
  }

  find(x, y) {
    let [found, least] = [null, REACH ** 2];
    for (let point = 0; point < this.count; point++) {
      const far = (this.x(this.now[2 * point]) - x) ** 2 + (this.y(this.now[2 * point + 1]) - y) ** 2;
      if (far < least) [found, least] = [point, far];
    }
    return found;
  }

  within([ax, ay], [bx, by]) {
    const found = [];
    for (let point = 0; point < this.count; point++) {
      const [x, y] = [this.x(this.now[2 * point]), this.y(this.now[2 * point + 1])];
      if ((x - ax) * (x - bx) <= 0 && (y - ay) * (y - by) <= 0) found.push(point);
    }
    return found;
  }

  hover(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    if (!this.playing) this.draw();
    const tip = this.part(".tip");
    tip.hidden = point === null;
    if (point === null) return;
    const { ids, classes, names, thumbs } = this.data;
    const image = tip.querySelector("img");
    if (thumbs) image.src = `${thumbs}${ids[point]}.png`;
    else image.removeAttribute("src");
    tip.querySelector("b").textContent = names[classes[point]];
    tip.querySelector("span").textContent = `id ${ids[point]}`;
    const [x, y] = [this.x(this.now[2 * point]), this.y(this.now[2 * point + 1])];
    const { clientWidth: width } = this.part(".stage");
    tip.style.top = `${Math.max(y - 40, 0)}px`;
    tip.style.left = x > width - 290 ? "auto" : `${x + 14}px`;
    tip.style.right = x > width - 290 ? `${width - x + 14}px` : "auto";
  }
}

function between(curve, step) {
  // The curve's height at `step`, on a straight line between its points; null before the first.
  const after = curve.findIndex(([at]) => at >= step);
  if (!curve.length || step < curve[0][0]) return null;
  if (after < 0) return curve.at(-1)[1];
  if (!after) return curve[0][1];
  const [[from, low], [to, high]] = [curve[after - 1], curve[after]];
  return low + ((high - low) * (step - from)) / Math.max(to - from, 1);
}
