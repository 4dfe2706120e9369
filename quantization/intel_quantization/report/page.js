"use strict";
/* The picture of the graph, and buttons that copy. Everything else in the page is there without scripts.
   Texts of the graph become text nodes only, never HTML. */
(() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const WIDE = 150, STEP_X = 174, HIGH = 34, STEP_Y = 64;
  const LETTERS = 21;

  for (const code of document.querySelectorAll("code.all")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch (error) { // a page of a file may not: then it is selected, to be copied by hand
        getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
    });
    code.after(" ", button);
  }

  for (const event of ["beforeprint", "afterprint"]) {
    addEventListener(event, () => {
      for (const part of document.querySelectorAll("details")) {
        if (event === "beforeprint") {
          part.dataset.open = part.open;
          part.open = true;
        } else {
          part.open = part.dataset.open === "true";
        }
      }
    });
  }

  const graph = report.graph;
  if (!graph) return;
  document.querySelector(".noscript").hidden = true;
  document.getElementById("picture").hidden = false;
  const drawing = document.getElementById("drawing");
  const boxes = graph.boxes;

  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    parent.append(element);
    return element;
  };
  const last = (name) => (name.length <= LETTERS ? name : "…" + name.slice(1 - LETTERS));
  const middle = (box) => box.x * STEP_X + WIDE / 2;

  const lines = make("g", { class: "lines" }, drawing);
  for (const edge of graph.edges) {
    const from = boxes[edge.from], to = boxes[edge.to];
    const points = [[middle(from), from.y * STEP_Y + HIGH]];
    edge.passes.forEach((x, number) => {
      const y = (from.y + 1 + number) * STEP_Y;
      points.push([x * STEP_X + WIDE / 2, y], [x * STEP_X + WIDE / 2, y + HIGH]);
    });
    points.push([middle(to), to.y * STEP_Y]);
    make("polyline", { points: points.map((point) => point.join(",")).join(" ") }, lines);
  }
  const shapes = boxes.map((box, number) => {
    const group = make("g", { class: "node", transform: `translate(${box.x * STEP_X},${box.y * STEP_Y})` }, drawing);
    make("rect", { width: WIDE, height: HIGH, rx: 5 }, group);
    make("text", { x: 6, y: 14 }, group).textContent = box.op + (box.more ? ` +${box.more}` : "");
    make("text", { x: 6, y: 28, class: "name" }, group).textContent = last(box.node);
    make("title", {}, group).textContent = box.node;
    group.addEventListener("click", () => show(number));
    return group;
  });

  const number = (value, digits) => (value === null ? "not measured" : value.toFixed(digits));
  const show = (chosen) => {
    const box = boxes[chosen];
    shapes.forEach((shape, at) => shape.classList.toggle("shown", at === chosen));
    const layer = report.blame && report.blame.layers.find((each) => each.node === box.node);
    const text = [
      `${box.op} in ${box.precision.toUpperCase()}${box.more ? `, with ${box.more} nodes that are fused into it` : ""}`,
      `local ${number(box.local_db, 1)}${box.local_db === null ? "" : " dB"}`,
      `accumulated ${number(box.accumulated_db, 1)}${box.accumulated_db === null ? "" : " dB"}`,
      `ms in FP32 ${number(box.fp32_ms, 3)}, in the INT8 graph ${number(box.int8_ms, 3)}`,
    ];
    if (layer) text.push(`${layer.cause}: ${layer.detail}`);
    const why = report.reasons.find((each) => each.node === box.node);
    if (why) text.push(why.reason);
    const name = document.createElement("code");
    name.textContent = box.node;
    document.getElementById("box").replaceChildren(name, ": " + text.join("; "));
  };

  const legend = document.getElementById("legend");
  const paint = () => {
    const by = document.getElementById("colour").value;
    const known = boxes.map((box) => box[by]).filter((value) => typeof value === "number");
    const low = Math.min(...known), high = Math.max(...known);
    shapes.forEach((shape, at) => {
      const box = boxes[at], value = box[by];
      shape.classList.toggle("int8", by === "precision" && value === "int8");
      let share = null;
      if (by === "int8_ms" && value !== null) share = high > 0 ? Math.sqrt(value / high) : 0;
      else if (by !== "precision" && value !== null) share = high > low ? (high - value) / (high - low) : 0;
      shape.classList.toggle("heat", share !== null);
      shape.style.setProperty("--share", share === null ? "0" : (100 * share).toFixed(1) + "%");
    });
    legend.textContent = by === "precision" ? "Blue: INT8; grey: FP32."
      : !known.length ? "Not measured."
      : by === "int8_ms" ? `The redder, the more milliseconds in the INT8 graph: up to ${high.toFixed(3)}.`
      : `The redder, the less signal to noise: ${high.toFixed(1)} down to ${low.toFixed(1)} dB.`;
  };
  document.getElementById("colour").addEventListener("change", paint);

  const xs = boxes.map((box) => box.x * STEP_X), ys = boxes.map((box) => box.y * STEP_Y);
  const margin = 12;
  const whole = {
    x: Math.min(...xs) - margin,
    y: Math.min(...ys) - margin,
    w: Math.max(...xs) - Math.min(...xs) + WIDE + 2 * margin,
    h: Math.max(...ys) - Math.min(...ys) + HIGH + 2 * margin,
  };
  const view = { ...whole };
  const look = () => drawing.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
  const zoom = (factor, x, y) => {
    const limit = Math.min(Math.max(factor, WIDE / view.w), Math.max((2 * whole.w) / view.w, (2 * whole.h) / view.h));
    view.x = x - (x - view.x) * limit;
    view.y = y - (y - view.y) * limit;
    view.w *= limit;
    view.h *= limit;
    look();
  };
  const scale = () => Math.max(view.w / drawing.clientWidth, view.h / drawing.clientHeight);
  const at = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    return [place.x, place.y];
  };
  const centre = () => [view.x + view.w / 2, view.y + view.h / 2];
  const fit = () => { Object.assign(view, whole); look(); };
  const start = () => { // what the data come in by, so near that they can be read; the whole where it is small
    const w = 0.9 * drawing.clientWidth, h = 0.9 * drawing.clientHeight;
    if (w > whole.w && h > whole.h) fit();
    else {
      const first = boxes.find((box) => box.op.startsWith("Placeholder")) || boxes[0];
      Object.assign(view, { x: middle(first) - w / 2, y: first.y * STEP_Y - margin, w, h });
    }
    look();
  };
  document.getElementById("in").addEventListener("click", () => zoom(0.7, ...centre()));
  document.getElementById("out").addEventListener("click", () => zoom(1 / 0.7, ...centre()));
  document.getElementById("fit").addEventListener("click", fit);
  drawing.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== drawing) return; // the page scrolls, until the picture is clicked
    event.preventDefault();
    zoom(Math.exp(event.deltaY * 0.002), ...at(event));
  }, { passive: false });
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (!step) return;
    event.preventDefault();
    view.x += step[0] * view.w;
    view.y += step[1] * view.h;
    look();
  });

  const fingers = new Map();
  const apart = () => {
    const [one, two] = [...fingers.values()];
    return Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY) || 1;
  };
  drawing.addEventListener("pointerdown", (event) => fingers.set(event.pointerId, event));
  drawing.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    if (fingers.size === 1) {
      if (!drawing.hasPointerCapture(event.pointerId)) {
        if (Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY) < 4) return;
        drawing.setPointerCapture(event.pointerId); // only now: a captured click would not be the box's
      }
      const size = scale();
      view.x -= (event.clientX - before.clientX) * size;
      view.y -= (event.clientY - before.clientY) * size;
      look();
    }
    const was = fingers.size === 2 ? apart() : 0;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) zoom(was / apart(), ...at(event));
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    drawing.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }

  const find = document.getElementById("find"), found = document.getElementById("found");
  let hits = [], next = 0;
  const go = () => {
    if (!hits.length) return;
    const box = boxes[hits[next]];
    view.w = Math.min(view.w, WIDE * 6);
    view.h = (view.w * drawing.clientHeight) / (drawing.clientWidth || 1);
    view.x = middle(box) - view.w / 2;
    view.y = box.y * STEP_Y + HIGH / 2 - view.h / 2;
    look();
    show(hits[next]);
    found.textContent = `${next + 1} of ${hits.length}`;
  };
  find.addEventListener("input", () => {
    const text = find.value.trim().toLowerCase();
    hits = [];
    boxes.forEach((box, place) => {
      const hit = text !== "" && (box.node.toLowerCase().includes(text) || box.op.toLowerCase().includes(text));
      shapes[place].classList.toggle("hit", hit);
      if (hit) hits.push(place);
    });
    next = 0;
    found.textContent = text === "" ? "" : hits.length ? "" : "none";
    go();
  });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !hits.length) return;
    next = (next + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
    go();
  });

  paint();
  start();
})();
