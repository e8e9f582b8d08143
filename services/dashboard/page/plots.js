// Plots: figures over time. Where nobody looked there is a gap.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { ask } from "./api.js";
import { count, hashrate } from "./format.js";
import { html } from "./html.js";

const EVERY_MS = 10_000;
const HEIGHT = 170;
/** Of a plot whose pool is young. */
const POINTS_MIN = 30;
const SPANS = ["1h", "24h"];

const PLOTS = [
  {
    id: "hashrate",
    title: "Hashrate",
    show: hashrate,
    lines: [{ key: "hashrate", label: "hashrate", colour: "--accent" }],
  },
  {
    id: "shares",
    title: "Shares a minute",
    show: (value) => (value < 10 ? value.toFixed(1) : count(value)),
    lines: [
      { key: "accepted", label: "accepted", colour: "--good" },
      { key: "rejected", label: "rejected", colour: "--bad" },
    ],
  },
  {
    id: "connections",
    title: "Connections",
    show: (value) => (Number.isInteger(value) ? count(value) : ""),
    lines: [{ key: "connections", label: "connections", colour: "--blue" }],
  },
];

export function Plots({ theme }) {
  const [span, setSpan] = useState("1h");
  const [series, setSeries] = useState(undefined);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const end = new AbortController();
    const load = async () => {
      try {
        setSeries(await ask(`/api/series?span=${span}`, end.signal));
        setTrouble("");
      } catch (error) {
        if (!end.signal.aborted) setTrouble(error.message);
      }
    };
    load();
    const timer = setInterval(load, EVERY_MS);
    return () => {
      clearInterval(timer);
      end.abort();
    };
  }, [span]);
  return html`<section class="card" aria-labelledby="plots-title">
    <header class="cardhead">
      <h2 id="plots-title">Over time</h2>
      <div class="switch" role="group" aria-label="How far back">
        ${SPANS.map((it) => html`<button type="button" key=${it} aria-pressed=${it === span} onClick=${() => setSpan(it)}>${it}</button>`)}
      </div>
    </header>
    ${trouble && html`<p class="notice">The plots stand still: ${trouble}</p>`}
    <div class="plots">
      ${PLOTS.map((plot) => html`<${Plot} key=${plot.id} plot=${plot} series=${series} theme=${theme} />`)}
    </div>
  </section>`;
}

function Plot({ plot, series, theme }) {
  const place = useRef(null);
  const chart = useRef(undefined);
  useEffect(() => {
    const element = place.current;
    chart.current = new uPlot(optionsOf(plot, element.clientWidth), dataOf(plot, series), element);
    const observer = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [theme, plot]);
  useEffect(() => {
    chart.current?.setData(dataOf(plot, series));
  }, [series, plot, theme]);
  const says = plot.lines.map((line) => summary(line, plot, series));
  return html`<figure class="plot" data-plot=${plot.id}>
    <figcaption>
      <span>${plot.title}</span>
      ${says.map(({ label, colour, last }) => html`<span class="key" key=${label}><i class=${`swatch c${colour}`}></i>${plot.lines.length > 1 ? `${label} ` : ""}<b>${last}</b></span>`)}
    </figcaption>
    <div class="canvas" ref=${place} role="img"
      aria-label=${`${plot.title}: ${says.map(({ label, last, most }) => `${label} ${last} now, ${most} at most`).join("; ")}`}></div>
  </figure>`;
}

function summary({ key, label, colour }, { show }, series) {
  const known = (series?.[key] ?? []).filter((value) => value !== null);
  const last = known.at(-1);
  return {
    label,
    colour,
    last: last === undefined ? "none yet" : show(last),
    most: known.length ? show(Math.max(...known)) : "none",
  };
}

function dataOf({ lines }, series) {
  if (!series) return [[], ...lines.map(() => [])];
  const from = firstShown(series);
  return [series.at.slice(from).map((ms) => ms / 1_000), ...lines.map(({ key }) => series[key].slice(from))];
}

/** A pool that was born a minute ago is shown from its birth, not as the last sliver of an empty hour. */
function firstShown({ hashrate: known, at }) {
  const first = known.findIndex((value) => value !== null);
  return first < 0 ? 0 : Math.max(0, Math.min(first - 1, at.length - POINTS_MIN));
}

function optionsOf({ lines, show }, width) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--dim"),
    grid: { stroke: colour("--rule"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    ...{ width, height: HEIGHT, padding: [10, 8, 0, 0] },
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    hooks: { setCursor: [(chart) => tell(chart, lines, show)] },
    scales: { y: { range: (_, __, most) => [0, Math.max(most ?? 0, 1e-9) * 1.15] } },
    axes: [
      { ...axis, size: 26, values: (_, times) => times.map(clock), space: 60 },
      { ...axis, size: 62, values: (_, values) => values.map(show), space: 36 },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        stroke: colour(line.colour),
        fill: lines.length === 1 ? `${colour(line.colour)}22` : undefined,
        width: 1.6,
        points: { size: 4, show: undefined },
      })),
    ],
  };
}

const clock = (seconds) => new Date(seconds * 1_000).toTimeString().slice(0, 5);

/** The values under the cursor, in place of the newest ones. */
function tell(chart, lines, show) {
  const { idx, left } = chart.cursor;
  const box = chart.root.parentElement;
  const values = left < 0 || idx == null ? [] : lines.map(({ label }, i) => [label, chart.data[i + 1][idx]]);
  const known = values.filter(([, value]) => value != null).map(([label, value]) => `${label} ${show(value)}`);
  box.dataset.tip = known.length === 0 ? "" : `${clock(chart.data[0][idx])}  ${known.join("  ")}`;
}
