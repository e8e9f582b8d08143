// Figures: the pool at one glance.

import { count, duration, hashrate, percent } from "./format.js";
import { html } from "./html.js";

function Figure({ label, value, note, name }) {
  return html`<div class="figure" data-figure=${name}>
    <dt>${label}</dt>
    <dd><strong>${value}</strong>${note && html`<span>${note}</span>`}</dd>
  </div>`;
}

export function Figures({ pool, lastShare, now }) {
  if (!pool) return html`<p class="card empty">Waiting for a reporter to say how the pool is doing.</p>`;
  const rejected = Object.values(pool.rejected).reduce((sum, each) => sum + each, 0);
  const share = lastShare && `last by ${lastShare.worker}, ${duration(now - lastShare.at)} ago`;
  return html`<section aria-label="The pool's figures">
    <dl class=${`figures${pool.stale ? " stale" : ""}`}>
      <${Figure} name="hashrate" label="Hashrate" value=${hashrate(pool.hashrate1m)}
        note=${`a minute; ${hashrate(pool.hashrate5m)} over 5 min`} />
      <${Figure} name="connections" label="Connections" value=${count(pool.connections)}
        note=${`${count(pool.workersActive)} workers active within the hour`} />
      <${Figure} name="accepted" label="Shares accepted" value=${count(pool.accepted)} note=${share} />
      <${Figure} name="rejected" label="Rejected" value=${percent(rejected, pool.accepted + rejected)}
        note=${`${count(rejected)} ${rejected === 1 ? "share" : "shares"}`} />
      <${Figure} name="blocks" label="Blocks found" value=${count(pool.blocks)} note=${`round ${count(pool.round)} is open`} />
      <${Figure} name="work" label="Work on block" value=${pool.job ? count(pool.job.height) : "none"}
        note=${pool.job ? `job ${pool.job.id}, ${duration(now - pool.job.templateAt)} old` : "no jobmanager has a job"} />
    </dl>
    ${pool.spooled > 0 && html`<p class="notice">${count(pool.spooled)} shares wait on disk until Redis takes them.</p>`}
  </section>`;
}
