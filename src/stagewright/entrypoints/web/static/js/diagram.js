// Draws the state machine: dagre says where things stand, this draws them.
import { Graph, layout } from "../vendor/dagre.js";

const SVG = "http://www.w3.org/2000/svg";
const LINE = 17;
let drawn = "";

function make(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function width(text, each) {
  return Math.min(text.length, 34) * each;
}

function short(text) {
  return text.length > 34 ? `${text.slice(0, 33)}…` : text;
}

function sizeOf(node) {
  if (node.kind === "end") return { width: width(node.label, 7.4) + 44, height: 30 };
  const sub = subtitle(node);
  const wide = Math.max(width(node.label, 7.6) + 44, width(sub, 6.1) + 44, 110);
  return { width: wide, height: sub ? 46 : 34 };
}

function subtitle(node) {
  return [node.word, node.detail].filter(Boolean).join(" · ");
}

// Where stages stand. A group is entered and left through a point of its own, because dagre joins
// edges to stages only.
function layered(data, direction) {
  const graph = new Graph({ compound: true, multigraph: true });
  graph.setGraph({ rankdir: direction, nodesep: 26, ranksep: 46, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const groups = new Set(data.nodes.map((node) => node.parent).filter(Boolean));
  for (const node of data.nodes) {
    graph.setNode(node.id, { ...(groups.has(node.id) ? {} : sizeOf(node)), node });
  }
  for (const node of data.nodes) if (node.parent) graph.setParent(node.id, node.parent);
  for (const group of groups) addPoints(graph, data, group);
  data.edges.forEach((edge, index) => {
    const from = groups.has(edge.source) ? `${edge.source}/out` : edge.source;
    const to = groups.has(edge.target) ? `${edge.target}/in` : edge.target;
    const label = { edge, width: width(edge.label, 6.4), height: edge.label ? 14 : 0,
      labelpos: "c" };
    graph.setEdge(from, to, label, String(index));
  });
  layout(graph);
  return graph;
}

function addPoints(graph, data, group) {
  const members = data.nodes.filter((node) => node.parent === group);
  const inside = new Set(members.map((node) => node.id));
  const inner = data.edges.filter((edge) => inside.has(edge.source) && !edge.back);
  const entered = new Set(inner.map((edge) => edge.target));
  const left = new Set(inner.map((edge) => edge.source));
  const plain = { label: "", back: false, taken: false, quiet: true };
  for (const end of ["in", "out"]) {
    graph.setNode(`${group}/${end}`, { width: 5, height: 5, point: true });
    graph.setParent(`${group}/${end}`, group);
  }
  for (const { id } of members) {
    if (!entered.has(id)) graph.setEdge(`${group}/in`, id, { edge: plain }, "in");
    if (!left.has(id)) graph.setEdge(id, `${group}/out`, { edge: plain }, "out");
  }
}

function fitting(data, room) {
  const across = layered(data, "LR");
  const wide = across.graph().width > room;
  return wide && data.nodes.length > 2 ? layered(data, "TB") : across;
}

function path(points) {
  const [first, ...rest] = points;
  let text = `M${first.x},${first.y}`;
  for (let i = 0; i < rest.length - 1; i++) {
    const middle = { x: (rest[i].x + rest[i + 1].x) / 2, y: (rest[i].y + rest[i + 1].y) / 2 };
    text += ` Q${rest[i].x},${rest[i].y} ${middle.x},${middle.y}`;
  }
  const end = rest.at(-1);
  return `${text} L${end.x},${end.y}`;
}

function arrow(points, taken) {
  const end = points.at(-1), before = points.at(-2);
  const angle = (Math.atan2(end.y - before.y, end.x - before.x) * 180) / Math.PI;
  return make("path", { d: "M0,0 L-7,-3.6 L-7,3.6 Z", class: `arrow${taken ? " taken" : ""}`,
    transform: `translate(${end.x},${end.y}) rotate(${angle})` });
}

function drawEdge(info) {
  const { edge, points } = info;
  if (edge.quiet) return make("path", { d: path(points), class: "edge quiet" });
  const kind = `${edge.taken ? " taken" : ""}${edge.back ? " back" : ""}`;
  const group = make("g", {}, make("path", { d: path(points), class: `edge${kind}` }),
    arrow(points, edge.taken));
  if (edge.label) {
    const wide = width(edge.label, 6.4) + 6;
    group.append(make("rect", { class: "edge-back-ground", x: info.x - wide / 2, y: info.y - 8,
      width: wide, height: 16, rx: 3 }));
    const text = make("text", { class: "edge-label", x: info.x, y: info.y + 4 });
    text.textContent = edge.label;
    group.append(text);
  }
  return group;
}

function drawNode(info, place) {
  const { node, x, y } = info;
  const left = x - info.width / 2, top = y - info.height / 2;
  const chosen = place.dataset.stage === node.id ? " chosen" : "";
  const group = make("g", { class: `node kind-${node.kind} tone-${node.tone}${chosen}` });
  const box = make("rect", { x: left, y: top, width: info.width, height: info.height,
    rx: node.kind === "end" ? info.height / 2 : 7 });
  const icon = make("use", { href: `${place.dataset.icons}#${node.icon}`, x: left + 11,
    y: y - 7.5, width: 15, height: 15, class: `tone-${node.tone}` });
  const sub = subtitle(node);
  const label = make("text", { x: left + 33, y: sub && node.kind !== "end" ? y - 3 : y + 4.5 });
  label.textContent = short(node.label);
  const parts = [box, icon, label];
  if (sub && node.kind !== "end") {
    const under = make("text", { class: "sub", x: left + 33, y: y + LINE - 4 });
    under.textContent = short(sub);
    parts.push(under);
  }
  if (place.dataset.href && node.kind !== "end") {
    const title = make("title", {});
    title.textContent = `${node.label}: ${sub}`;
    const link = make("a", { href: place.dataset.href + encodeURIComponent(node.id),
      tabindex: "-1" }, title, ...parts);
    group.append(link);
  } else group.append(...parts);
  return group;
}

function drawGroup(info) {
  const { node } = info;
  const left = info.x - info.width / 2, top = info.y - info.height / 2;
  const label = make("text", { class: "group-label", x: left + 9, y: top + 15 });
  label.textContent = short([node.label, node.word, node.detail].filter(Boolean).join(" · "));
  return make("g", { class: `node kind-group tone-${node.tone}` },
    make("rect", { x: left, y: top, width: info.width, height: info.height, rx: 9 }), label);
}

function draw() {
  const place = document.querySelector("[data-diagram]");
  const source = document.getElementById("diagram-data");
  if (!place || !source) return;
  const key = `${source.textContent}|${place.dataset.stage}|${place.clientWidth}`;
  if (key === drawn && place.firstElementChild) return;
  drawn = key;
  const data = JSON.parse(source.textContent);
  if (!data.nodes.length) return;
  const graph = fitting(data, place.clientWidth - 28);
  const { width: w, height: h } = graph.graph();
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, width: w, height: h, "aria-hidden": "true" });
  const infos = graph.nodes().map((id) => graph.node(id));
  const isGroup = (info) => info.node && graph.children(info.node.id)?.length > 0;
  svg.append(...infos.filter(isGroup).map(drawGroup));
  svg.append(...graph.edges().map((edge) => drawEdge(graph.edge(edge))));
  for (const info of infos) {
    if (info.point) svg.append(make("circle", { class: "point", cx: info.x, cy: info.y, r: 2.5 }));
    else if (!isGroup(info)) svg.append(drawNode(info, place));
  }
  place.replaceChildren(svg);
}

document.addEventListener("htmx:after:swap", draw);
addEventListener("resize", draw);
draw();
