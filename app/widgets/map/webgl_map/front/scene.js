// The points on the canvas: one WebGL 2 context, one box of the canvas a view. Keeps what it was given, so that a lost
// context can be built anew.
//
// Where some points are marked, the others are a grey backdrop, the same whichever are marked. It has a texture of its
// own, so that another selection draws its own points alone; `prepare` paints it before there is one.

const VERTEX = `#version 300 es
layout(location = 0) in vec2 place;  // 0..1 over the view's frame
layout(location = 1) in uint shade;
uniform vec2 scale, shift;  // frame to clip space
uniform float size, opacity;
uniform vec4 grey;  // drawn in this if its alpha is above 0
uniform sampler2D palette;
flat out vec4 colour;
void main() {
  gl_Position = vec4(place * scale + shift, 0, 1);
  gl_PointSize = size;
  vec4 chosen = grey.a > 0.0 ? grey : texelFetch(palette, ivec2(int(shade), 0), 0);
  colour = vec4(chosen.rgb, opacity);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
uniform float size;
uniform vec4 ground;  // colour of the thin edge that parts large points; its alpha is the width in pixels
flat in vec4 colour;
out vec4 pixel;
void main() {
  float alpha = colour.a;
  vec3 rgb = colour.rgb;
  if (size > 2.5) {
    float within = 0.5 * size - length(gl_PointCoord - 0.5) * size;  // pixels from the rim
    alpha *= clamp(within + 0.5, 0.0, 1.0);
    rgb = mix(ground.rgb, rgb, ground.a > 0.0 ? clamp(within - ground.a + 0.5, 0.0, 1.0) : 1.0);
  }
  pixel = vec4(rgb * alpha, alpha);
}`;
const UNIFORMS = ["scale", "shift", "size", "opacity", "grey", "palette", "ground"];

export class Scene {
  // Throws if the browser has no WebGL 2.
  constructor(canvas) {
    this.gl = canvas.getContext("webgl2", { antialias: false, depth: false, powerPreference: "high-performance" });
    if (!this.gl) throw new Error("no WebGL 2");
    this.views = []; // places, a Uint16Array or a Float32Array a view
    this.shades = new Uint8Array(0);
    this.palette = [[154, 163, 175]];
    this.marked = new Uint32Array(0);
    this.build();
  }

  // Make program, buffers and texture, and fill them with what is kept.
  build() {
    const { gl } = this;
    this.program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(gl.getProgramInfoLog(this.program));
    }
    this.at = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(this.program, name)]));
    this.shadeBuffer = gl.createBuffer();
    this.markedBuffer = gl.createBuffer();
    this.texture = gl.createTexture();
    this.placeBuffers = [];
    this.backdrop = { frame: gl.createFramebuffer(), texture: gl.createTexture(), size: "", of: "", painted: 0 };
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.SCISSOR_TEST);
    this.setViews(this.views);
    this.setShades(this.shades);
    this.setPalette(this.palette);
    this.setMarked(this.marked);
  }

  setViews(views) {
    const { gl } = this;
    this.placeBuffers.slice(views.length).forEach((buffer) => gl.deleteBuffer(buffer));
    this.placeBuffers = views.map((places, v) => {
      const buffer = this.placeBuffers[v] ?? gl.createBuffer();
      if (buffer.holds !== places) this.fill(gl.ARRAY_BUFFER, buffer, places);
      buffer.holds = places;
      return buffer;
    });
    this.views = views;
    this.backdrop.of = "";
  }

  setShades(shades) {
    this.shades = shades;
    this.fill(this.gl.ARRAY_BUFFER, this.shadeBuffer, shades);
  }

  // Indices of the points to draw on top.
  setMarked(marked) {
    this.marked = marked;
    this.fill(this.gl.ELEMENT_ARRAY_BUFFER, this.markedBuffer, marked);
  }

  // Up to 256 colours [r, g, b], 0 to 255.
  setPalette(palette) {
    const { gl } = this;
    this.palette = palette;
    const texels = new Uint8Array(1024).fill(255);
    palette.forEach((rgb, k) => texels.set(rgb, 4 * k));
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  fill(target, buffer, array) {
    this.gl.bindBuffer(target, buffer);
    this.gl.bufferData(target, array, this.gl.STATIC_DRAW);
  }

  // Draw every view. The state: boxes are MapBoxes, in CSS pixels, `ratio` makes them pixels of the canvas;
  // `dimmed` draws all but the marked points in `grey`; at most `most` points of each set.
  draw(state) {
    const { gl } = this;
    this.begin();
    this.clear(); // also before a copy, which browsers do not count as drawing: they would clear it away after it
    if (state.dimmed && state.most >= this.count) {
      this.prepare(state, this.count);
      this.copyBackdrop();
    } else {
      state.boxes.forEach((box, v) => this.drawAll(state, v, 0, Math.min(this.count, state.most), state.dimmed));
    }
    if (!this.marked.length) return;
    state.boxes.forEach((box, v) => {
      const { size, opacity } = this.aim(state, v);
      this.look(markSize(size, this.marked.length) * state.ratio, Math.max(opacity, 0.9), null, state.ground);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.markedBuffer);
      gl.drawElements(gl.POINTS, Math.min(this.marked.length, state.most), gl.UNSIGNED_INT, 0);
    });
  }

  // Paint `many` more points of each view's backdrop; true once it is whole.
  prepare(state, many) {
    const { gl, backdrop } = this;
    const cameras = state.boxes.map(({ left, top, camera }) => [left, top, { ...camera }]);
    const of = JSON.stringify([cameras, gl.canvas.width, gl.canvas.height, state.ratio, state.grey, state.ground]);
    if (backdrop.of === of && backdrop.painted >= this.count) return true;
    this.begin();
    gl.bindFramebuffer(gl.FRAMEBUFFER, backdrop.frame);
    if (backdrop.of !== of) {
      this.sizeBackdrop();
      this.clear();
      Object.assign(backdrop, { of, painted: 0 });
    }
    const some = Math.min(many, this.count - backdrop.painted);
    state.boxes.forEach((box, v) => this.drawAll(state, v, backdrop.painted, some, true));
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    backdrop.painted += some;
    return backdrop.painted >= this.count;
  }

  // Make the backdrop, which is bound, as large as the canvas.
  sizeBackdrop() {
    const { gl, backdrop } = this;
    const { width, height } = gl.canvas;
    if (backdrop.size === `${width} ${height}`) return;
    backdrop.size = `${width} ${height}`;
    gl.bindTexture(gl.TEXTURE_2D, backdrop.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, backdrop.texture, 0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
  }

  copyBackdrop() {
    const { gl } = this;
    const corners = [0, 0, gl.canvas.width, gl.canvas.height];
    gl.scissor(...corners);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.backdrop.frame);
    gl.blitFramebuffer(...corners, ...corners, gl.COLOR_BUFFER_BIT, gl.NEAREST);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, null);
  }

  // How many points each view has whose shade is known.
  get count() {
    return Math.min(this.shades.length, ...this.views.map((places) => places.length / 2));
  }

  begin() {
    const { gl, at } = this;
    gl.useProgram(this.program);
    gl.uniform1i(at.palette, 0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.enableVertexAttribArray(0);
    gl.enableVertexAttribArray(1);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.shadeBuffer);
    gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_BYTE, 0, 0);
  }

  clear() {
    const { gl } = this;
    gl.scissor(0, 0, gl.canvas.width, gl.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  // Let what is drawn next be points of view v, in its box of the canvas; tells how large and how opaque they are.
  aim({ boxes, ratio }, v) {
    const { gl, at } = this;
    const { left, top, camera, low, span } = boxes[v];
    const corner = [Math.round(left * ratio), gl.canvas.height - Math.round((top + camera.height) * ratio)];
    const extent = [Math.round(camera.width * ratio), Math.round(camera.height * ratio)];
    gl.viewport(...corner, ...extent);
    gl.scissor(...corner, ...extent);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.placeBuffers[v]);
    const kind = this.views[v] instanceof Float32Array ? gl.FLOAT : gl.UNSIGNED_SHORT;
    gl.vertexAttribPointer(0, 2, kind, true, 0, 0);
    const unit = [(2 * camera.scale) / camera.width, (2 * camera.scale) / camera.height];
    gl.uniform2f(at.scale, span[0] * unit[0], span[1] * unit[1]);
    gl.uniform2f(at.shift, (low[0] - camera.x) * unit[0], (low[1] - camera.y) * unit[1]);
    return dots(camera, this.views[v].length / 2);
  }

  drawAll(state, v, first, many, dimmed) {
    const { size, opacity } = this.aim(state, v);
    this.look(size * state.ratio, dimmed ? Math.min(opacity, 0.3) : opacity, dimmed ? state.grey : null, state.ground);
    this.gl.drawArrays(this.gl.POINTS, first, many);
  }

  look(size, opacity, grey, ground) {
    const { gl, at } = this;
    gl.uniform1f(at.size, size);
    gl.uniform1f(at.opacity, opacity);
    gl.uniform4f(at.grey, ...(grey ?? [0, 0, 0]).map((part) => part / 255), grey ? 1 : 0);
    gl.uniform4f(at.ground, ...ground.map((part) => part / 255), size > 5 ? 0.8 : 0);
  }
}

// Diameter in CSS pixels and opacity of the points: smaller and fainter in a crowd, growing with the zoom.
export function dots(camera, count) {
  const smallest = Math.min(Math.max(Math.sqrt((0.26 * camera.width * camera.height) / Math.max(count, 1)), 1.4), 7);
  const size = Math.min(smallest * Math.max(camera.zoom, 1) ** 0.5, Math.max(smallest, 9));
  return { size, opacity: Math.min((count > 300000 ? 0.6 : count > 50000 ? 0.7 : 0.8) + 0.02 * (size - smallest), 0.9) };
}

function markSize(size, count) {
  return count < 2000 ? Math.max(1.5 * size, 6) : count < 20000 ? Math.max(1.3 * size, 3) : size * 1.15;
}
