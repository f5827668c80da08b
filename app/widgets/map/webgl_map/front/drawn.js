// The map as it is drawn: what Python tells of it, the canvas and what lies over it, what is under the mouse, a context
// that comes and goes.

import { Arrows } from "./arrows.js";
import { cameras, MapBox } from "./box.js";
import { clamp } from "./camera.js";
import { bytes, Faces, json } from "./fetched.js";
import { Overlay } from "./overlay.js";
import { Scene } from "./scene.js";
import { chosen, side } from "./thumbnails.js";
import { Toolbar } from "./toolbar.js";

const GAP = 12; // px between views
const NARROW = 620; // px of the map; below it, views are stacked
export const FAR_REACH = 45; // px from the crosshair
const SETTLE = 140; // ms after which a map that has stopped moving is drawn in full
const BUTTONS = 46; // px at the top of the map, where its buttons are
const PIECE = 25000; // points of a selection's backdrop painted at once
const PAUSE = 50; // ms between two pieces
const PATIENCE = 4000; // ms for a lost context to come back
const KEYS = "Arrows move · + − 0 zoom, A all · Enter opens · Space pins a corner of an area, Enter closes it · M B L tools";

export class DrawnMap {
  constructor(root) {
    this.root = root;
    this.points = root.appendChild(document.createElement("canvas"));
    this.top = root.appendChild(document.createElement("canvas"));
    this.top.className = "top";
    this.scene = new Scene(this.points);
    this.overlay = new Overlay(this.top);
    this.faces = new Faces(() => this.redrawTop());
    this.faces.of = (point) => this.who && this.data.thumbs && this.faces.at(this.thumb(point));
    this.arrows = new Arrows(root, (view, corners) => this.goTo(view, corners));
    this.toolbar = new Toolbar(root, (group, name) => this.choose(group, name));
    this.card = this.add("div", "card");
    this.card.hidden = true;
    this.note = this.add("div", "note");
    this.said = this.add("div", "said");
    this.said.setAttribute("role", "status");
    root.tabIndex = 0;
    root.setAttribute("role", "application");

    this.views = [];
    this.shades = new Uint8Array(0);
    this.mask = new Uint8Array(0); // 1 for a marked point
    this.marked = 0; // how many
    this.hovered = -1;
    this.draft = null;
    this.drag = null;
    this.touches = new Map();
    this.crosshair = false;
    this.tool = matchMedia("(pointer: coarse)").matches ? "move" : "lasso";
    this.mode = "new";
    this.moving = false;
    this.budget = 200000; // points drawn while the map moves, learned from how long it takes
    this.turn = 0;
    this.off = new AbortController();
    this.say(KEYS);
  }

  add(tag, name) {
    const element = this.root.appendChild(document.createElement(tag));
    element.className = name;
    return element;
  }

  close() {
    this.off.abort();
    this.sizes.disconnect();
    this.closed = true;
    this.scene.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  // ---- what Python tells

  async update(data, send) {
    this.send = send;
    const turn = ++this.turn;
    this.root.style.height = `${data.height}px`;
    this.root.style.setProperty("--views", data.views.length);
    this.root.setAttribute("aria-label", data.words);
    this.root.setAttribute("aria-description", KEYS);
    let places, shades;
    try {
      const wanted = [...data.views.map((view) => view.xy), data.shades];
      const fetched = await Promise.all(wanted.map(bytes));
      shades = new Uint8Array(fetched.pop());
      places = fetched.map((buffer, v) => new (data.views[v].unit > 1 ? Uint16Array : Float32Array)(buffer));
    } catch {
      if (turn === this.turn) this.say("The points could not be fetched; reload the page.", true);
      return;
    }
    if (turn !== this.turn || this.closed) return;
    this.say(KEYS);
    this.data = data;
    this.readTheme();
    const changed = [
      this.setViews(data, places),
      this.setShades(shades),
      this.setMask(unpacked(data.marked, data.count)),
      this.setColours(),
      this.layout(),
    ].some(Boolean);
    this.showTools();
    this.top.classList.toggle("still", !data.select);
    if (changed) this.redraw();
    else this.redrawTop(); // an area was drawn before Python answered
    this.root.dataset.shades = data.shades;
    this.details(data, turn);
  }

  // These tell whether anything has changed that the points show.

  setViews(data, places) {
    const before = this.views;
    this.views = data.views.map((box, v) => {
      const key = `${v} ${box.xy}`;
      const view = before[v]?.key === key ? before[v] : new MapBox(box, places[v], key);
      view.update(box);
      return view;
    });
    if (!this.views.includes(this.active)) [this.active] = this.views;
    if (before.length === this.views.length && before.every((view, v) => view === this.views[v])) return false;
    this.hovered = -1;
    this.draft = null;
    this.card.hidden = true;
    this.scene.setViews(this.views.map((view) => view.places));
    return true;
  }

  setShades(shades) {
    if (this.shades.buffer === shades.buffer) return false;
    this.shades = shades;
    this.scene.setShades(shades);
    return true;
  }

  setMask(mask) {
    if (mask.length === this.mask.length && mask.every((one, i) => one === this.mask[i])) return false;
    let count = 0;
    for (let i = 0; i < mask.length; i++) count += mask[i];
    const marked = new Uint32Array(count);
    for (let i = 0, next = 0; i < mask.length; i++) if (mask[i]) marked[next++] = i;
    this.mask = mask;
    this.marked = count;
    this.scene.setMarked(marked);
    this.root.dataset.marked = String(count);
    this.fetchFaces();
    return true;
  }

  setColours() {
    const colours = JSON.stringify([this.data.palette, this.data.dimmed, this.data.hues.grey, this.colours.ground]);
    if (colours === this.drawnIn) return false;
    this.drawnIn = colours;
    this.scene.setPalette(this.data.palette.map(rgb));
    return true;
  }

  // Names on the map and what a card says: fetched once the points are on their way to the screen.
  async details(data, turn) {
    try {
      const [ids, labels, names, ...places] = await Promise.all([
        bytes(data.who.ids),
        bytes(data.who.labels),
        json(data.who.names),
        ...data.views.map((view) => json(view.names)),
      ]);
      if (turn !== this.turn || this.closed) return;
      this.who = { ids: new BigInt64Array(ids), labels: new Uint32Array(labels), names };
      this.views.forEach((view, v) => (view.names = places[v]));
      this.fetchFaces();
      this.redrawTop();
      this.root.dataset.named = "yes";
    } catch {
      this.say("The names of the points could not be fetched; reload the page.", true);
    }
  }

  get dimmed() {
    return this.data.dimmed ?? this.marked > 0;
  }

  isFaded(point) {
    return this.dimmed && !this.mask[point];
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    const value = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    this.colours = {
      text: value("--st-text-color", "#333"),
      ground: value("--st-background-color", "#fff"),
      border: value("--st-border-color", "#8885"),
      font: value("--st-font", "sans-serif"),
    };
  }

  // ---- drawing

  layout() {
    const { clientWidth: width, clientHeight: height } = this.root;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    const size = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    const changed = this.points.width !== size[0] || this.points.height !== size[1];
    if (changed) for (const canvas of [this.points, this.top]) [canvas.width, canvas.height] = size;
    const count = this.views.length;
    const stacked = width < NARROW;
    const room = (stacked ? height : width) - GAP * (count - 1);
    this.views.forEach((view, v) => {
      const start = Math.round(v * (room / count + GAP));
      [view.left, view.top] = stacked ? [0, start] : [start, 0];
      const extent = stacked ? [width, Math.floor(room / count)] : [Math.floor(room / count), height];
      view.camera.resize(...extent, view.top ? 0 : BUTTONS);
    });
    return changed;
  }

  redraw() {
    this.dirty = true;
    this.redrawTop();
    if (!this.queued && !this.fence) {
      this.queued = true;
      requestAnimationFrame(() => this.render());
    }
  }

  redrawTop() {
    if (this.topQueued) return;
    this.topQueued = true;
    requestAnimationFrame(() => {
      this.topQueued = false;
      if (this.closed || !this.views.length) return;
      this.overlay.draw(this);
      this.root.dataset.beyond = String(this.arrows.show(this.views, this.moving));
    });
  }

  render() {
    this.queued = false;
    const { gl } = this.scene;
    if (this.closed || !this.views.length || gl.isContextLost()) return;
    this.dirty = false;
    const { moving } = this;
    this.scene.draw(this.state);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    this.watch(performance.now(), moving);
  }

  // What the scene is to show.
  get state() {
    const { data } = this;
    return {
      boxes: this.views,
      ratio: this.ratio,
      dimmed: this.dimmed,
      grey: rgb(data.hues.grey),
      ground: rgb(this.colours.ground),
      most: this.moving ? Math.round(this.budget) : data.count,
    };
  }

  // Wait for the drawing to be done before the next one is begun, and learn how many points a moving map can afford.
  watch(began, moving) {
    const { gl } = this.scene;
    const done = gl.isContextLost() || gl.getSyncParameter(this.fence, gl.SYNC_STATUS) === gl.SIGNALED;
    if (!done) {
      setTimeout(() => this.closed || this.watch(began, moving), 4);
      return;
    }
    gl.deleteSync(this.fence);
    this.fence = null;
    const took = performance.now() - began;
    if (moving) this.budget = clamp(this.budget * clamp(24 / took, 0.5, 1.5), 20000, 4e6);
    if (this.dirty) this.redraw();
    else if (!moving) {
      this.root.dataset.drawn = String(Number(this.root.dataset.drawn ?? 0) + 1);
      if (this.data.select && this.data.dimmed !== false) this.prepare();
    }
  }

  // Paint what lies behind a selection to come, a little at a time, while there is nothing else to draw.
  prepare() {
    clearTimeout(this.preparing);
    this.preparing = setTimeout(() => {
      if (this.closed || this.fence || this.moving || this.scene.gl.isContextLost()) return; // comes again after those
      if (!this.scene.prepare(this.state, PIECE)) this.prepare();
    }, PAUSE);
  }

  // The cameras have changed.
  moved(view) {
    if (this.data.linked) this.views.forEach((other) => other === view || other.camera.like(view.camera));
    this.views.forEach((each) => cameras.set(each.key, each.camera));
    this.moving = this.views[0].places.length / 2 > this.budget;
    this.findFaces();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.moving = false;
      this.fetchFaces();
      this.redraw();
    }, SETTLE);
    if (this.crosshair) this.hover(view, view.camera.width / 2, view.camera.height / 2, FAR_REACH);
    else this.hideCard();
    this.redraw();
  }

  // Which points are pictures now. While the map moves, those are drawn that have come before.
  findFaces() {
    for (const view of this.views) {
      view.face = side(view, this.data.count);
      view.faces = this.data.thumbs && this.who ? chosen(view, this.mask, view.face) : [];
    }
  }

  fetchFaces() {
    this.findFaces();
    this.faces.want(this.views.flatMap((view) => view.faces.map((point) => this.thumb(point))));
    this.root.dataset.faces = String(this.views[0].faces.length);
  }

  // ---- what is under the mouse

  viewAt(event) {
    const box = this.root.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const view =
      this.views.find(({ left, top, camera }) => x >= left && x < left + camera.width && y >= top && y < top + camera.height) ??
      this.views.findLast(({ left, top }) => x >= left && y >= top) ??
      this.views[0];
    return [view, x - view.left, y - view.top];
  }

  // The point that is meant by a place of the view: that of the picture there, or the nearest; -1 if there is none.
  pointAt(view, px, py, reach) {
    const reached = view.face / 2;
    const shown = view.faces.filter((point) => {
      const [x, y] = view.screenOf(point);
      return Math.abs(px - x) <= reached && Math.abs(py - y) <= reached && this.faces.of(point);
    });
    return shown.at(-1) ?? view.nearest(px, py, reach);
  }

  hover(view, px, py, reach) {
    const point = this.pointAt(view, px, py, reach);
    this.top.title = point < 0 ? this.overlay.nameAt(view, px, py) : "";
    this.top.classList.toggle("over", point >= 0 && this.data.select && !this.drag);
    if (point === this.hovered) return;
    this.hovered = point;
    if (point < 0) this.card.hidden = true;
    else this.showCard(view, point);
    this.redrawTop();
  }

  hideCard() {
    this.card.hidden = true;
    if (this.hovered >= 0) this.redrawTop();
    this.hovered = -1;
  }

  thumb(point) {
    return `${this.data.thumbs}${this.who.ids[point]}.png`;
  }

  showCard(view, point) {
    if (!this.who) return;
    const name = this.who.names[this.who.labels[point]] ?? "";
    const shade = this.shades[point];
    const picture = document.createElement("img");
    picture.alt = "";
    picture.hidden = !this.data.thumbs;
    if (this.data.thumbs) picture.src = this.thumb(point);
    picture.onerror = () => (picture.hidden = true);
    const words = document.createElement("div");
    const title = words.appendChild(document.createElement("b"));
    title.textContent = name;
    const rest = words.appendChild(document.createElement("small"));
    const dot = rest.appendChild(document.createElement("i"));
    dot.style.background = this.data.palette[shade];
    rest.append(this.data.shadeNames[shade] ?? `id ${this.who.ids[point]}`);
    if (this.data.shadeNames[shade]) {
      words.appendChild(document.createElement("small")).textContent = `id ${this.who.ids[point]}`;
    }
    this.card.replaceChildren(picture, words);
    this.card.hidden = false;
    if (this.crosshair) {
      this.card.style.transform = `translate(${view.left + 10}px, ${view.top + 10}px)`;
      this.tell(`${name}, id ${this.who.ids[point]}`);
      return;
    }
    const [px, py] = view.screenOf(point);
    const { offsetWidth: width, offsetHeight: height } = this.card;
    const x = view.left + px + 14 + width > this.root.clientWidth ? view.left + px - width - 14 : view.left + px + 14;
    const y = view.top + py + 14 + height > this.root.clientHeight ? view.top + py - height - 14 : view.top + py + 14;
    this.card.style.transform = `translate(${Math.max(x, 4)}px, ${Math.max(y, 4)}px)`;
  }

  // ---- a context that comes and goes

  lost(event) {
    event.preventDefault();
    this.fence = null;
    if (this.closed) return;
    this.giveUp = setTimeout(() => this.send("missing", "the graphics context was lost"), PATIENCE);
  }

  restored() {
    clearTimeout(this.giveUp);
    this.scene.build();
    this.redraw();
  }
}

// One bit a point, lowest first, as base64: as one byte a point; nothing means that none is marked.
function unpacked(text, count) {
  const bits = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const mask = new Uint8Array(count);
  if (bits.length) for (let i = 0; i < count; i++) mask[i] = (bits[i >> 3] >> (i & 7)) & 1;
  return mask;
}

// "#RRGGBB", "#RGB" or "rgb(r, g, b)" as three numbers.
function rgb(text) {
  if (/^#[0-9a-f]{3}$/i.test(text)) return [1, 2, 3].map((at) => 17 * parseInt(text[at], 16));
  if (text.startsWith("#")) return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  return (text.match(/\d+(\.\d+)?/g) ?? [128, 128, 128]).slice(0, 3).map(Number);
}
