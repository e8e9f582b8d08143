// Tables: blocks, workers, refusals by reason, and what happened.

import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.js";
import { clock, count, duration, hashrate, percent } from "./format.js";
import { html } from "./html.js";

const EVERY_MS = 5_000;
/** Typing goes on: the question is asked when it pauses. */
const PAUSE_MS = 200;
const WORKERS_SHOWN = 100;
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

const COLUMNS = [
  { key: "worker", title: "Worker", of: (it) => it.worker },
  { key: "hashrate5m", title: "5 min", of: (it) => it.hashrate5m, num: true, show: (it) => hashrate(it.hashrate5m) },
  { key: "hashrate1h", title: "1 h", of: (it) => it.hashrate1h, num: true, show: (it) => hashrate(it.hashrate1h) },
  { key: "accepted", title: "Accepted", of: (it) => it.accepted, num: true, show: (it) => count(it.accepted) },
  {
    ...{ key: "rejected", title: "Rejected", num: true, of: (it) => it.rejected },
    show: (it) => percent(it.rejected, it.accepted + it.rejected),
  },
  {
    ...{ key: "lastShareAt", title: "Last share", num: true, of: (it) => it.lastShareAt ?? 0 },
    show: (it, now) => (it.lastShareAt === undefined ? "never" : `${duration(now - it.lastShareAt)} ago`),
  },
];

export function Workers({ now }) {
  const [match, setMatch] = useState("");
  const [found, setFound] = useState({ workers: undefined, trouble: "" });
  const [sort, setSort] = useState({ key: "lastShareAt", down: true });
  useEffect(() => {
    const end = new AbortController();
    const load = async () => {
      const search = new URLSearchParams({ limit: String(WORKERS_SHOWN), ...(match && { match }) });
      try {
        setFound({ ...(await ask(`/api/workers?${search}`, end.signal)), trouble: "" });
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
  }, [match]);
  const { workers, trouble } = found;
  return html`<section class="card wide" aria-labelledby="workers-title">
    <header class="cardhead">
      <h2 id="workers-title">Workers</h2>
      <label class="search"><span class="away">Find a worker</span>
        <input type="search" placeholder="Find a worker" maxlength="128" value=${match} onInput=${(event) => setMatch(event.target.value)} />
      </label>
    </header>
    ${trouble && html`<p class="notice">This table stands still: ${trouble}</p>`}
    <div class="scroll" tabindex="0" role="group" aria-label="Table of workers">
      <table id="workers">
        <thead><tr>${COLUMNS.map((column) => html`<${Heading} key=${column.key} column=${column} sort=${sort} onSort=${setSort} />`)}</tr></thead>
        <tbody>${sorted(workers ?? [], sort).map(
          (it) => html`<tr key=${it.worker}>
          ${COLUMNS.map(({ key, show, of, num }) => html`<td key=${key} class=${num ? "num" : "strong"}>${show ? show(it, now) : of(it)}</td>`)}
        </tr>`,
        )}</tbody>
      </table>
    </div>
    <p class="empty" role="status">${remark(workers, match)}</p>
  </section>`;
}

function Heading({ column: { key, title, num }, sort, onSort }) {
  const mine = sort.key === key;
  const order = mine ? (sort.down ? "descending" : "ascending") : "none";
  const next = () => onSort({ key, down: mine ? !sort.down : num === true });
  return html`<th scope="col" class=${num ? "num" : ""} aria-sort=${order}>
    <button type="button" onClick=${next}>${title}<span aria-hidden="true">${mine ? (sort.down ? " ↓" : " ↑") : ""}</span></button>
  </th>`;
}

function sorted(workers, { key, down }) {
  const { of } = COLUMNS.find((column) => column.key === key);
  const sign = down ? -1 : 1;
  return [...workers].sort((a, b) => (of(a) < of(b) ? -sign : of(a) > of(b) ? sign : 0));
}

function remark(workers, match) {
  if (workers === undefined) return "Looking.";
  if (workers.length === 0) return match ? `No worker has “${match}” in its name.` : "No worker has found a share yet.";
  if (workers.length === WORKERS_SHOWN) return `The ${WORKERS_SHOWN} with the latest shares; search finds the others.`;
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
