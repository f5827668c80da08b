// Dots turn to pictures when few enough points are in sight. Which of them, and how large.

import { clamp } from "./camera.js";

const MOST = 250; // points in sight; with more there are no pictures
const SLACK = 1.4; // times as many before pictures that are there go: panning along a crowd does not make them flicker
const SIZES = [30, 48]; // px of a picture
const CLOSER = 1.2; // than the opening view, before any dot turns to a picture
const APART = 0.9; // of a picture's side, between the middles of two

// Pixels of a picture's side: larger with the zoom, the same wherever one looks.
export function side(view, count) {
  return clamp(Math.round(SIZES[0] * Math.sqrt((MOST / count) * view.camera.zoom ** 2)), ...SIZES);
}

// The points that are drawn as pictures. Where two would cover each other, one stays a dot: that which is not marked,
// or was no picture before, or comes later. So those that are pictures stay so while the map moves.
export function chosen(view, mask, size) {
  const before = new Set(view.faces);
  const apart = APART * size;
  const near = view.camera.zoom > CLOSER ? view.inSight(MOST * (before.size ? SLACK : 1), size) : null;
  if (!near) return [];
  const first = (point) => 2 * mask[point] + before.has(point);
  near.sort((one, other) => first(other) - first(one) || one - other);
  const taken = [];
  return near.filter((point) => {
    const [x, y] = view.screenOf(point);
    if (taken.some(([otherX, otherY]) => Math.abs(x - otherX) < apart && Math.abs(y - otherY) < apart)) return false;
    taken.push([x, y]);
    return true;
  });
}
