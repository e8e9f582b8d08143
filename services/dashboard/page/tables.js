// Tables: blocks, workers, refusals by reason, and what happened.

import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.js";
import { clock, count, duration, hashrate, percent } from "./format.js";
import { html } from "./html.js";

const EVERY_MS = 5_000;
/** Typing goes on: the question is asked when it pauses. */
const PAUSE_MS = 200;
const ROWS_SHOWN = 100;
const HAPPENINGS_SHOWN = 60;

export function Blocks({ blocks, now }) {
  return html`<section class="card" aria-labelledby="blocks-title">
    <header class="cardhead"><h2 id="blocks-title">Latest blocks</h2></header>
    ${
      blocks === undefined || blocks.length === 0
        ? html`<p class="empty">No block yet.</p>`
        : html`<div class="scroll tall" tabindex="0" role="group" aria-label="Table of blocks"><table>
          <thead><tr><th scope="col">Height</th><th scope="col">Status</th><th scope="col" class="num">Confirmations</th>
            <th scope="col">Worker</th><th scope="col">Hash</th><th scope="col" class="num">Found</th></tr></thead>
          <tbody>${blocks.map(
            (it) => html`<tr key=${it.hash}>
            <td class="strong">${count(it.height)}</td>
            <td><span class=${`status ${it.status}`} title=${it.reason}>${it.status}</span></td>
            <td class="num">${count(Math.max(0, it.confirmations))}</td>
            <td>${it.worker}</td>
            <td><code title=${it.hash}>${it.hash.slice(0, 6)}…${it.hash.slice(-6)}</code></td>
            <td class="num dim">${duration(now - it.foundAt)} ago</td>
          </tr>`,
          )}</tbody>
        </table></div>`
    }
  </section>`;
}

const WORDS = {
  "low-difficulty": "below the difficulty",
  "not-subscribed": "not subscribed",
  other: "other, such as an unknown job",
};

/** Accepted and refused, by reason. */
export function Outcomes({ pool }) {
  const rejected = Object.entries(pool?.rejected ?? {}).sort((a, b) => b[1] - a[1]);
  const accepted = pool?.accepted ?? 0;
  const all = rejected.reduce((sum, [, each]) => sum + each, accepted);
  const rows = [["accepted", accepted], ...rejected];
  return html`<section class="card" aria-labelledby="outcomes-title">
    <header class="cardhead"><h2 id="outcomes-title">Shares by outcome</h2></header>
    <table class="bars">
      <thead class="away"><tr><th scope="col">Outcome</th><th scope="col">Part</th><th scope="col">Shares</th></tr></thead>
      <tbody>${rows.map(
        ([reason, each]) => html`<tr key=${reason}>
        <th scope="row">${WORDS[reason] ?? reason}</th>
        <td class="bar"><progress class=${reason === "accepted" ? "good" : "bad"} max=${Math.max(1, all)} value=${each}
          aria-label=${percent(each, all)}></progress></td>
        <td class="num">${count(each)} <span class="dim">${percent(each, all)}</span></td>
      </tr>`,
      )}</tbody>
    </table>
    ${rejected.length === 0 && html`<p class="empty">None was refused.</p>`}
  </section>`;
}

const lastShare = {
  ...{ key: "lastShareAt", title: "Last share", num: true, of: (it) => it.lastShareAt ?? 0 },
  show: (it, now) => (it.lastShareAt === undefined ? "never" : `${duration(now - it.lastShareAt)} ago`),
};
const accepted = {
  ...{ key: "accepted", title: "Accepted", num: true, of: (it) => it.accepted },
  show: (it) => count(it.accepted),
};

const WORKERS = {
  id: "workers",
  title: "Workers",
  hint: "Find a worker",
  path: "/api/workers",
  rows: (reply) => reply.workers,
  name: (it) => it.worker,
  nobody: "No worker has found a share yet.",
  unknown: (match) => `No worker has “${match}” in its name.`,
  columns: [
    { key: "worker", title: "Worker", of: (it) => it.worker },
    { key: "hashrate5m", title: "5 min", of: (it) => it.hashrate5m, num: true, show: (it) => hashrate(it.hashrate5m) },
    { key: "hashrate1h", title: "1 h", of: (it) => it.hashrate1h, num: true, show: (it) => hashrate(it.hashrate1h) },
    accepted,
    {
      ...{ key: "rejected", title: "Rejected", num: true, of: (it) => it.rejected },
      show: (it) => percent(it.rejected, it.accepted + it.rejected),
    },
    lastShare,
  ],
};

const refusedOf = (it) => Object.values(it.rejected).reduce((sum, each) => sum + each, 0);

const CONNECTIONS = {
  id: "connections",
  title: "Connections",
  hint: "Worker; with the token, address or connection id",
  path: "/api/connections",
  rows: (reply) => reply.connections,
  name: (it) => it.connection ?? `${it.stratum} ${it.address} ${it.since}`,
  nobody: "Nobody is connected.",
  unknown: (match) => `No connection has “${match}” in its worker, address or id.`,
  columns: [
    {
      ...{ key: "workers", title: "Workers", of: (it) => it.workers.join(", ") },
      show: (it) => it.workers.join(", ") || it.phase,
      hint: (it) => `${it.connection === undefined ? "" : `connection ${it.connection}, `}served by ${it.stratum}`,
    },
    { key: "address", title: "Address", of: (it) => it.address },
    { key: "agent", title: "Miner", of: (it) => it.agent },
    {
      ...{ key: "difficulty", title: "Difficulty", num: true, of: (it) => it.difficulty ?? 0 },
      show: (it) => (it.difficulty === undefined ? "" : Number(it.difficulty.toPrecision(4)).toString()),
    },
    { key: "hashrate", title: "Hashrate", num: true, of: (it) => it.hashrate, show: (it) => hashrate(it.hashrate) },
    accepted,
    {
      ...{ key: "rejected", title: "Rejected", num: true, of: refusedOf, show: (it) => count(refusedOf(it)) },
      hint: (it) =>
        Object.entries(it.rejected)
          .map(([reason, each]) => `${each} ${WORDS[reason] ?? reason}`)
          .join(", "),
    },
    {
      key: "since",
      title: "Connected",
      num: true,
      of: (it) => -it.since,
      show: (it, now) => `${duration(now - it.since)}`,
    },
    lastShare,
  ],
};

export const Workers = ({ now }) => html`<${Searched} table=${WORKERS} now=${now} />`;
export const Connections = ({ now }) => html`<${Searched} table=${CONNECTIONS} now=${now} />`;

function Searched({ table, now }) {
  const [match, setMatch] = useState("");
  const [sort, setSort] = useState({ key: "lastShareAt", down: true });
  const { rows, trouble } = useRows(table, match);
  const { id, title, hint, columns, name } = table;
  return html`<section class="card" aria-labelledby=${`${id}-title`}>
    <header class="cardhead">
      <h2 id=${`${id}-title`}>${title}</h2>
      <label class="search"><span class="away">${hint}</span>
        <input type="search" placeholder=${hint} maxlength="128" value=${match} onInput=${(event) => setMatch(event.target.value)} />
      </label>
    </header>
    ${trouble && html`<p class="notice">This table stands still: ${trouble}</p>`}
    <div class="scroll tall" tabindex="0" role="group" aria-label=${`Table of ${id}`}>
      <table id=${id}>
        <thead><tr>${columns.map((column) => html`<${Heading} key=${column.key} column=${column} sort=${sort} onSort=${setSort} />`)}</tr></thead>
        <tbody>${sorted(rows ?? [], columns, sort).map(
          (it) => html`<tr key=${name(it)}>
          ${columns.map(
            (column, i) =>
              html`<td key=${column.key} class=${column.num ? "num" : i === 0 ? "strong" : ""} title=${column.hint?.(it)}>${column.show ? column.show(it, now) : column.of(it)}</td>`,
          )}
        </tr>`,
        )}</tbody>
      </table>
    </div>
    <p class="empty" role="status">${remark(table, rows, match)}</p>
  </section>`;
}

/** Asked again every few seconds, and when somebody types. */
function useRows({ path, rows }, match) {
  const [found, setFound] = useState({ rows: undefined, trouble: "" });
  useEffect(() => {
    const end = new AbortController();
    const load = async () => {
      const search = new URLSearchParams({ limit: String(ROWS_SHOWN), ...(match && { match }) });
      try {
        setFound({ rows: rows(await ask(`${path}?${search}`, end.signal)), trouble: "" });
      } catch (error) {
        if (!end.signal.aborted) setFound((before) => ({ ...before, trouble: error.message }));
      }
    };
    const first = setTimeout(load, PAUSE_MS);
    const timer = setInterval(load, EVERY_MS);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
      end.abort();
    };
  }, [path, match]);
  return found;
}

function Heading({ column: { key, title, num }, sort, onSort }) {
  const mine = sort.key === key;
  const order = mine ? (sort.down ? "descending" : "ascending") : "none";
  const next = () => onSort({ key, down: mine ? !sort.down : num === true });
  return html`<th scope="col" class=${num ? "num" : ""} aria-sort=${order}>
    <button type="button" onClick=${next}>${title}<span aria-hidden="true">${mine ? (sort.down ? " ↓" : " ↑") : ""}</span></button>
  </th>`;
}

function sorted(rows, columns, { key, down }) {
  const { of } = columns.find((column) => column.key === key);
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => (of(a) < of(b) ? -sign : of(a) > of(b) ? sign : 0));
}

function remark({ nobody, unknown }, rows, match) {
  if (rows === undefined) return "Looking.";
  if (rows.length === 0) return match ? unknown(match) : nobody;
  if (rows.length === ROWS_SHOWN) return `The ${ROWS_SHOWN} with the latest shares; search finds the others.`;
  return "";
}

export function Happenings({ happenings }) {
  const newest = happenings.slice(-HAPPENINGS_SHOWN).reverse();
  return html`<section class="card" aria-labelledby="happenings-title">
    <header class="cardhead"><h2 id="happenings-title">What happened</h2></header>
    ${
      newest.length === 0
        ? html`<p class="empty">Nothing since this dashboard started.</p>`
        : html`<ol class="scroll tall happenings" tabindex="0" aria-labelledby="happenings-title">
          ${newest.map((it) => html`<li key=${it.id} class=${it.mood}><time class="dim">${clock(it.at)}</time> <span>${it.text}</span></li>`)}
        </ol>`
    }
  </section>`;
}
