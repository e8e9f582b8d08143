// House: the live picture. Services are columns in the order in which a share passes them; lines say who talks to whom.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { bytes, duration, shortId } from "./format.js";
import { html } from "./html.js";

/** Column by column; within a column from the top. */
const COLUMNS = [
  ["miners"],
  ["haproxy"],
  ["keeper"],
  ["edge"],
  ["stratum"],
  ["reporter", "jobmanager"],
  ["redis", "daemon"],
];
const TITLES = { haproxy: "HAProxy", redis: "Redis", daemon: "daemons", miners: "miners" };
/** Said with the colour, for those who cannot tell colours apart. */
const SIGNS = { good: "●", warn: "◆", bad: "▲" };
const WORDS = { good: "well", warn: "in between", bad: "in trouble" };

export function Health({ health }) {
  return html`<span class=${`sign ${health}`} role="img" aria-label=${WORDS[health]}>${SIGNS[health]}</span>`;
}

function NodeButton({ node, now, onOpen }) {
  const age = node.startedAt === undefined ? undefined : duration(now - node.startedAt);
  const quiet = ["ready", "running", "connected", "live"].includes(node.state);
  const facts = [quiet ? undefined : node.state, node.load, age].filter(Boolean);
  const single = ["haproxy", "keeper", "miners"].includes(node.kind);
  return html`<button type="button" class=${`node ${node.health}`} data-node=${node.id} data-kind=${node.kind}
      onClick=${() => onOpen(node)} title=${node.note}>
    <span class="name"><${Health} health=${node.health} />
      ${single ? (TITLES[node.kind] ?? node.name) : shortId(node.name, node.kind)}
      ${node.senior && node.kind === "jobmanager" && html`<span class="badge" title="The oldest one: its refreshes of the work go out">senior</span>`}
    </span>
    <span class="facts">${facts.join(" · ")}</span>
    ${node.cpu !== undefined && html`<span class="facts dim">${node.cpu.toFixed(0)}% cpu · ${bytes(node.memoryBytes ?? 0)}</span>`}
  </button>`;
}

function Group({ kind, house, now, onOpen, onSwap }) {
  const nodes = house.nodes.filter((it) => it.kind === kind);
  if (nodes.length === 0) return null;
  const swappable = house.swappable.includes(kind);
  const title = TITLES[kind] ?? kind;
  return html`<div class="group" data-group=${kind}>
    <div class="grouphead">
      <h3>${title}${nodes.length > 1 && html` <span class="dim">× ${nodes.length}</span>`}</h3>
      ${swappable && html`<button type="button" class="small" onClick=${() => onSwap(kind)} aria-label=${`Swap ${title}`}>swap</button>`}
    </div>
    ${nodes.map((node) => html`<${NodeButton} key=${node.id} node=${node} now=${now} onOpen=${onOpen} />`)}
  </div>`;
}

/** `2 failed, 1 needs attention`; only when neither, that all work. */
function summary(bad, warn) {
  if (bad === 0 && warn === 0) return "all of them work";
  const failed = bad === 0 ? [] : [`${bad} failed`];
  const attention = warn === 0 ? [] : [`${warn} ${warn === 1 ? "needs" : "need"} attention`];
  return [...failed, ...attention].join(", ");
}

export function House({ house, now, pulse, onOpen, onSwap }) {
  const board = useRef(null);
  if (!house)
    return html`<section class="card" aria-label="Topology"><p class="empty">Loading the topology.</p></section>`;
  const shared = { house, now, onOpen, onSwap };
  const count = (health) => house.nodes.filter((it) => it.health === health).length;
  const [bad, warn] = [count("bad"), count("warn")];
  return html`<section class="card" aria-labelledby="house-title">
    <header class="cardhead">
      <h2 id="house-title">Topology</h2>
      <p class="dim" id="house-summary">
        ${house.nodes.length - 1} parts, ${summary(bad, warn)}. Each of them also registers in Redis.
      </p>
    </header>
    ${house.manager && html`<p class="notice">Swap and drain are not possible: ${house.manager}</p>`}
    <div class=${`board${pulse ? " pulse" : ""}`} ref=${board}>
      <${Lines} board=${board} house=${house} />
      ${COLUMNS.map(
        (kinds) => html`<div class="column" key=${kinds[0]}>
          ${kinds.map((kind) => html`<${Group} key=${kind} kind=${kind} ...${shared} />`)}
        </div>`,
      )}
    </div>
  </section>`;
}

/** Curves from node to node; where they stand is known only once the nodes are laid out. */
function Lines({ board, house }) {
  const [drawn, setDrawn] = useState({ width: 0, height: 0, lines: [] });
  const measure = () => {
    const element = board.current;
    if (!element) return;
    const { lines, width, height } = layOut(element, house.links);
    setDrawn((before) => (before.key === keyOf(lines) ? before : { key: keyOf(lines), lines, width, height }));
  };
  useLayoutEffect(measure, [house]);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(board.current);
    return () => observer.disconnect();
  }, [house]);
  return html`<svg class="lines" width=${drawn.width} height=${drawn.height} aria-hidden="true">
    ${drawn.lines.map(
      ({ id, path, health }) => html`<g key=${id}>
      <path class=${`line ${health}`} d=${path} />
      <path class="spark" d=${path} pathLength="100" />
    </g>`,
    )}
  </svg>`;
}

const keyOf = (lines) => lines.map(({ id, path, health }) => `${id} ${path} ${health}`).join("\n");

function layOut(element, links) {
  const frame = element.getBoundingClientRect();
  const places = new Map();
  for (const node of element.querySelectorAll("[data-node]")) {
    const { left, top, width, height } = node.getBoundingClientRect();
    const [x, y] = [left - frame.left, top - frame.top];
    places.set(node.dataset.node, { x, y, width, height, right: x + width, bottom: y + height });
  }
  const lines = links.flatMap(({ from, to, health }) => {
    const [a, b] = [places.get(from), places.get(to)];
    return a && b ? [{ id: `${from} ${to}`, health, path: curve(a, b) }] : [];
  });
  return { lines, width: frame.width, height: frame.height };
}

/** Columns stand further apart than this, nodes of one row on a phone nearer. */
const BESIDE_PX = 12;

/** From side to side where columns stand beside each other, from bottom to top where they are stacked (on a phone). */
function curve(a, b) {
  if (b.x - a.right >= BESIDE_PX) {
    const [x1, y1, x2, y2] = [a.right, a.y + a.height / 2, b.x, b.y + b.height / 2];
    const bend = (x2 - x1) / 2;
    return `M${round(x1)} ${round(y1)}C${round(x1 + bend)} ${round(y1)} ${round(x2 - bend)} ${round(y2)} ${round(x2)} ${round(y2)}`;
  }
  const [x1, y1, x2, y2] = [a.x + a.width / 2, a.bottom, b.x + b.width / 2, b.y];
  const bend = (y2 - y1) / 2;
  return `M${round(x1)} ${round(y1)}C${round(x1)} ${round(y1 + bend)} ${round(x2)} ${round(y2 - bend)} ${round(x2)} ${round(y2)}`;
}

const round = (value) => Math.round(value * 10) / 10;
