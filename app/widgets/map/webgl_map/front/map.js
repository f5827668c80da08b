// The map in the browser. Streamlit calls the default export with every run of the page's script; one PointMap lives as
// long as the element does.

import { clamp } from "./camera.js";
import { Draft } from "./draft.js";
import { DrawnMap, FAR_REACH } from "./drawn.js";
import { bytes } from "./fetched.js";
import { inside } from "./search.js";

const CLICK = 4; // px that a click may slip
const REACH = 9; // px from the mouse to a point that counts as under it
const STEP = 60; // px of an arrow key
const CLOSER = 1.5; // of a zoom button or key

const maps = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let map = maps.get(parentElement);
  try {
    if (!map) {
      map = new PointMap(parentElement.querySelector(".map"));
      maps.set(parentElement, map);
    }
    map.update(data, setTriggerValue);
  } catch (error) {
    console.warn("The map cannot be drawn:", error);
    setTriggerValue("missing", String(error.message ?? error));
  }
  return () => {
    map?.close();
    maps.delete(parentElement);
  };
}

// The map that answers: to mouse, touch and keys.
class PointMap extends DrawnMap {
  constructor(root) {
    super(root);
    this.listen();
  }

  // ---- what somebody does

  listen() {
    const { root, top } = this;
    const { signal } = this.off;
    top.addEventListener("pointerdown", (event) => this.down(event), { signal });
    top.addEventListener("pointermove", (event) => this.move(event), { signal });
    top.addEventListener("pointerup", (event) => this.up(event), { signal });
    top.addEventListener("pointercancel", (event) => this.cancel(event), { signal });
    top.addEventListener("pointerleave", () => this.drag || this.hideCard(), { signal });
    top.addEventListener("wheel", (event) => this.wheel(event), { passive: false, signal });
    top.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
    root.addEventListener("keydown", (event) => this.key(event), { signal });
    root.addEventListener("blur", () => this.keys(false), { signal });
    this.points.addEventListener("webglcontextlost", (event) => this.lost(event), { signal });
    this.points.addEventListener("webglcontextrestored", () => this.restored(), { signal });
    this.sizes = new ResizeObserver(() => {
      if (this.views.length && this.layout()) this.redraw();
    });
    this.sizes.observe(root);
  }

  down(event) {
    if (!this.views.length) return;
    const [view, x, y] = this.viewAt(event);
    this.keys(false);
    this.top.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, [x, y]);
    this.active = view;
    const moves = this.tool === "move" || !this.data.select || event.button === 1 || event.button === 2;
    this.drag = { view, start: [x, y], last: [x, y], moves: moves || this.touches.size > 1, far: false };
    if (!this.drag.moves) this.draft = new Draft(view, this.tool, this.modeOf(event), view.camera.toPlane(x, y));
    else if (this.touches.size > 1) this.draft = null;
  }

  move(event) {
    if (!this.views.length) return;
    const [under, atX, atY] = this.viewAt(event);
    const { drag } = this;
    if (!drag) {
      this.hover(under, atX, atY, REACH);
      return;
    }
    const box = this.root.getBoundingClientRect();
    const x = event.clientX - box.left - drag.view.left;
    const y = event.clientY - box.top - drag.view.top;
    if (this.touches.size > 1) {
      this.pinch(event, x, y);
      return;
    }
    drag.far ||= Math.hypot(x - drag.start[0], y - drag.start[1]) > CLICK;
    if (!drag.far) return;
    this.card.hidden = true;
    this.top.classList.toggle("moving", drag.moves);
    if (drag.moves) {
      drag.view.camera.pan(x - drag.last[0], y - drag.last[1]);
      this.moved(drag.view);
    } else {
      const { width, height } = drag.view.camera;
      this.draft.moveTo(drag.view.camera.toPlane(clamp(x, 0, width), clamp(y, 0, height)));
      this.redrawTop();
    }
    drag.last = [x, y];
  }

  pinch(event, x, y) {
    const { view } = this.drag;
    const [one, other] = [...this.touches.values()];
    const before = Math.hypot(one[0] - other[0], one[1] - other[1]);
    const middle = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    this.touches.set(event.pointerId, [x, y]);
    const [now, then] = [...this.touches.values()];
    const centre = [(now[0] + then[0]) / 2, (now[1] + then[1]) / 2];
    view.camera.pan(centre[0] - middle[0], centre[1] - middle[1]);
    view.camera.zoomAt(...centre, Math.hypot(now[0] - then[0], now[1] - then[1]) / Math.max(before, 1));
    this.drag.far = true;
    this.moved(view);
  }

  up(event) {
    const { drag, draft } = this;
    this.touches.delete(event.pointerId);
    if (!drag || this.touches.size) return;
    this.drag = null;
    this.top.classList.remove("moving");
    this.draft = null;
    this.redrawTop();
    if (drag.far && draft) {
      draft.mode = this.modeOf(event);
      this.take(draft);
    } else if (!drag.far && event.button === 0 && this.data.select) {
      const point = this.pointAt(drag.view, ...drag.start, REACH);
      if (point >= 0) this.open(point);
    }
  }

  cancel(event) {
    this.touches.delete(event.pointerId);
    this.drag = this.draft = null;
    this.redrawTop();
  }

  wheel(event) {
    if (!this.views.length || (!this.data.wheel && !event.ctrlKey)) return;
    event.preventDefault();
    const [view, x, y] = this.viewAt(event);
    const lines = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
    view.camera.zoomAt(x, y, Math.exp(-clamp(event.deltaY * lines, -300, 300) * (event.ctrlKey ? 0.008 : 0.002)));
    this.moved(view);
  }

  key(event) {
    if (!this.views.length || event.ctrlKey || event.metaKey) return;
    const fromButton = event.composedPath()[0] !== this.root;
    const view = this.active;
    const { camera } = view;
    const centre = [camera.width / 2, camera.height / 2];
    const arrows = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.key === "Escape") {
      if (!this.draft) {
        this.setMask(new Uint8Array(this.data.count)); // at once; the page's own Escape clears the selection
        this.redraw();
        return;
      }
      this.draft = null;
      event.stopPropagation();
    } else if (event.key in arrows) {
      this.keys(true);
      camera.pan(...arrows[event.key].map((part) => (event.shiftKey ? 4 : 1) * part));
      this.draft?.moveTo([camera.x, camera.y]);
      this.moved(view);
    } else if (event.key === "+" || event.key === "=") this.choose("zoom", "in");
    else if (event.key === "-") this.choose("zoom", "out");
    else if (event.key === "0") this.choose("zoom", "fit");
    else if (event.key.toLowerCase() === "a") this.choose("zoom", "all");
    else if ("mbl".includes(event.key.toLowerCase())) {
      this.choose("tool", { m: "move", b: "box", l: "lasso" }[event.key.toLowerCase()]);
    } else if (event.key >= "1" && event.key <= String(this.views.length)) {
      this.active = this.views[Number(event.key) - 1];
      this.keys(true);
    } else if (fromButton || !this.data.select) return;
    else if (event.key === " ") {
      this.keys(true);
      this.pin(view, [camera.x, camera.y], event);
    } else if (event.key === "Enter") this.enter(view, centre, event);
    else return;
    event.preventDefault();
    this.redrawTop();
  }

  // Space: begin an area at the crosshair, or give it another corner.
  pin(view, at, event) {
    if (this.draft?.kind === "lasso") this.draft.pin(at);
    else this.draft ??= new Draft(view, this.tool === "box" ? "box" : "lasso", this.modeOf(event), at);
    // A lasso drawn with keys has corners where Space was pressed, and nowhere else.
    this.draft.moveTo = (loose) => (this.draft.loose = loose);
    this.tell("Corner pinned. Move with the arrows; Enter selects, Escape gives up.");
  }

  // Enter: close the area, or open the point nearest to the crosshair.
  enter(view, centre, event) {
    const { draft } = this;
    this.draft = null;
    if (draft) {
      draft.mode = this.modeOf(event);
      this.take(draft);
      return;
    }
    this.keys(true);
    const point = this.pointAt(view, ...centre, FAR_REACH);
    if (point >= 0) this.open(point);
    else this.tell("No point is near the crosshair.");
  }

  modeOf(event) {
    return event.shiftKey ? "add" : event.altKey ? "subtract" : this.mode;
  }

  choose(group, name) {
    if (group === "tool" && this.data.select) this.tool = name;
    if (group === "mode") this.mode = name;
    this.top.dataset.tool = this.tool;
    this.showTools();
    if (group !== "zoom") return;
    const view = this.active;
    if (name === "fit") this.views.forEach((each) => (each === view || this.data.linked) && this.fit(each));
    else if (name === "all") this.views.forEach((each) => each.camera.all());
    else view.camera.zoomAt(view.camera.width / 2, view.camera.height / 2, name === "in" ? CLOSER : 1 / CLOSER);
    this.moved(view);
  }

  showTools() {
    const { tool, mode, data } = this;
    this.toolbar.show({ tool, mode, select: data.select, all: this.views.some((view) => view.outer.length) });
  }

  // From an arrow: show what lies between two corners of the plane, or the opening view.
  goTo(view, corners) {
    this.active = view;
    if (corners) view.camera.frame(...corners);
    else view.camera.fit();
    this.moved(view);
  }

  // The opening view; if that is what is seen, those points that are marked.
  fit(view) {
    if (!this.marked || !view.camera.fitted) {
      view.camera.fit();
      return;
    }
    const low = [Infinity, Infinity];
    const high = [-Infinity, -Infinity];
    for (let point = 0; point < this.mask.length; point++) {
      if (!this.mask[point]) continue;
      view.planeOf(point).forEach((at, axis) => {
        low[axis] = Math.min(low[axis], at);
        high[axis] = Math.max(high[axis], at);
      });
    }
    view.camera.frame(low, high);
  }

  // Light up what lies in the area at once, and tell Python its outline.
  take(draft) {
    const polygon = draft.polygon();
    const found = inside(draft.view.places, polygon.map((corner) => draft.view.steps(corner)));
    if (draft.mode !== "new") {
      const adds = draft.mode === "add";
      for (let i = 0; i < found.length; i++) found[i] = adds ? found[i] | this.mask[i] : this.mask[i] & (found[i] ^ 1);
    }
    this.setMask(found);
    this.tell(`${this.marked} samples selected`);
    this.send("area", { of: draft.view.data.xy, mode: draft.mode, polygon });
    setTimeout(() => this.redraw()); // once the message is on its way
  }

  // Open a point; its id may still be on its way.
  async open(point) {
    const { ids } = this.data.who;
    this.send("pick", String(new BigInt64Array(await bytes(ids))[point]));
  }

  keys(on) {
    if (this.crosshair === on) return;
    this.crosshair = on;
    this.root.classList.toggle("keys", on);
    this.redrawTop();
  }

  say(text, trouble = false) {
    const span = document.createElement("span");
    span.textContent = text;
    this.note.replaceChildren(span);
    this.note.classList.toggle("trouble", trouble);
  }

  // For those who hear the map.
  tell(text) {
    this.said.textContent = text;
  }
}
