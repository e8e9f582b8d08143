// Plots as SVG, by hand: two logarithmic axes, lines with dots, a legend, a title for readers who hear it. Pure: a plot ->
// text.

import type { Plot } from "./report.js";
import { figure } from "./table.js";

const WIDTH = 640;
const HEIGHT = 400;
const LEFT = 76;
const RIGHT = 130;
const TOP = 40;
const BOTTOM = 48;
/** Told apart also by people who see few colours. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

interface Axis {
  readonly low: number;
  readonly high: number;
  at(value: number): number;
}

function axis(values: readonly number[], from: number, to: number): Axis {
  const positive = values.filter((it) => it > 0);
  const low = Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  return { low, high, at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from) };
}

const text = (x: number, y: number, anchor: string, said: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(said)}</text>`;

const escaped = (said: string): string => said.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** @param plot Every coordinate above zero. */
export function drawPlot({ title, x, y, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const across = axis(
    points.map(([at]) => at),
    LEFT,
    WIDTH - RIGHT,
  );
  const up = axis(
    points.map(([, at]) => at),
    HEIGHT - BOTTOM,
    TOP,
  );
  const grid: string[] = [];
  for (let power = across.low; power <= across.high; power++) {
    const at = across.at(10 ** power);
    grid.push(
      `<path d="M${at} ${TOP}V${HEIGHT - BOTTOM}"/>`,
      text(at, HEIGHT - BOTTOM + 16, "middle", figure(10 ** power)),
    );
  }
  for (let power = up.low; power <= up.high; power++) {
    const at = up.at(10 ** power);
    grid.push(`<path d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>`, text(LEFT - 6, at + 4, "end", figure(10 ** power)));
  }
  const drawn = lines.map((line, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const at = line.points.map(([px, py]) => `${across.at(px).toFixed(1)},${up.at(py).toFixed(1)}`);
    const dots = at.map((it) => `<circle cx="${it.split(",")[0]}" cy="${it.split(",")[1]}" r="3"/>`).join("");
    const label = text(WIDTH - RIGHT + 10, TOP + 12 + 18 * i, "start", line.name);
    return `<g fill="${colour}"><polyline points="${at.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}${label}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<g stroke="#ddd" fill="none">${grid.filter((it) => it.startsWith("<path")).join("")}</g>`,
    `<g fill="#333">${grid.filter((it) => it.startsWith("<text")).join("")}`,
    text(WIDTH / 2, 20, "middle", title),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "middle", x),
    `<text transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text></g>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}
