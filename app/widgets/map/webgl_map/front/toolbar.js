// The buttons on the map: what a drag does, what an area does to the selection, zoom.

const icon = (path) =>
  `<svg viewBox="0 0 18 18" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${path}</svg>`;
const TOOLS = [
  ["move", "Move: drag to move the map (M)", "M9 2v14M2 9h14M7 4l2-2 2 2M7 14l2 2 2-2M4 7L2 9l2 2M14 7l2 2-2 2"],
  ["box", "Box: drag to select (B)", "M3 6V3h3M12 3h3v3M15 12v3h-3M6 15H3v-3M8.5 3h1M8.5 15h1M3 8.500v1M15 8.500v1"],
  ["lasso", "Lasso: drag around points to select (L)", "M9 3c3.600 0 6.500 1.900 6.500 4.300S12.600 11.600 9 11.600 2.500 9.700 2.500 7.300 5.400 3 9 3zM5.500 11c-1.500 1.500.8 2.300.2 3.400-.3.700-1 .9-1.700.7"],
];
const MODES = [
  ["new", "An area makes a new selection", "New"],
  ["add", "An area adds to the selection (or hold Shift)", "Add"],
  ["subtract", "An area takes from the selection (or hold Alt)", "Subtract"],
];
const ZOOMS = [
  ["in", "Closer (+)", "M9 4v10M4 9h10"],
  ["out", "Farther (−)", "M4 9h10"],
  ["fit", "The view as it opened, or those that are selected (0)", "M3 7V3h4M11 3h4v4M15 11v4h-4M7 15H3v-4"],
  ["all", "All points, with those far off (A)", "All"],
];

export class Toolbar {
  // `chosen` is called with ("tool" | "mode" | "zoom", name).
  constructor(parent, chosen) {
    this.element = document.createElement("div");
    this.element.className = "tools";
    this.element.setAttribute("role", "toolbar");
    this.element.setAttribute("aria-label", "Map tools");
    this.buttons = new Map();
    for (const [group, items, label] of [
      ["tool", TOOLS, "A drag"],
      ["mode", MODES, "An area"],
      ["zoom", ZOOMS, "Zoom"],
    ]) {
      const box = document.createElement("div");
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", label);
      box.dataset.group = group;
      for (const [name, title, face] of items) {
        const button = document.createElement("button");
        button.type = "button";
        button.title = title;
        button.setAttribute("aria-label", title);
        button.innerHTML = /^[A-Z][a-z]/.test(face) ? face : icon(`<path d="${face}"></path>`);
        button.onclick = () => chosen(group, name);
        this.buttons.set(`${group}-${name}`, button);
        box.append(button);
      }
      this.element.append(box);
    }
    parent.append(this.element);
  }

  // `all`: whether some points lie outside the opening view.
  show({ tool, mode, select, all }) {
    for (const [key, button] of this.buttons) {
      const [group, name] = key.split("-");
      if (group !== "zoom") button.setAttribute("aria-pressed", String(name === (group === "tool" ? tool : mode)));
    }
    for (const box of this.element.children) box.hidden = !select && box.dataset.group !== "zoom";
    this.buttons.get("zoom-all").hidden = !all;
  }
}
