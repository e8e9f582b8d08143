// Actions: swap a service, drain an instance. Each says beforehand what it does, asks for the token once a tab, and shows its steps.

import { useState } from "preact/hooks";
import { forgetToken, keepToken, order, token } from "./api.js";
import { Dialog } from "./dialog.js";
import { bytes, clock, duration } from "./format.js";
import { Health } from "./house.js";
import { html } from "./html.js";

const ABOUT = {
  jobmanager: "New jobmanagers take over the work of the old ones.",
  stratum: "New stratum instances take over from the old ones, one by one.",
  reporter: "New reporters take over from the old ones, one by one.",
  edge: "A fresh edge gets every client from the keeper.",
  keeper: "The keeper gives doors and clients to its successor, and with it comes a fresh edge.",
};

export function SwapDialog({ service, actions, about, onClose }) {
  const body = { service };
  return html`<${Dialog} title=${`Swap ${service}`} onClose=${onClose}>
    <p>${ABOUT[service]} No client is disconnected. One that does not get ready is taken back, and the old one stays.</p>
    <${Order} path="/api/swap" body=${body} what="swap" whom=${service} label=${`Swap ${service}`} ...${{ actions, about, onClose }} />
  <//>`;
}

export function NodeDialog({ node, actions, about, now, onClose }) {
  const facts = [
    ["Health", html`<${Health} health=${node.health} /> ${node.state}`],
    ["Says", node.note],
    ["Load", node.load],
    ["Up for", node.startedAt && duration(now - node.startedAt)],
    ["Process", node.pid && `${node.pid}${node.host ? ` on ${node.host}` : ""}`],
    ["Version", node.version],
    ["Uses", node.memoryBytes && `${bytes(node.memoryBytes)}, ${(node.cpu ?? 0).toFixed(0)}% of a core`],
  ].filter(([, value]) => value);
  return html`<${Dialog} title=${node.name} onClose=${onClose}>
    <dl class="facts-list">${facts.map(([term, value]) => html`<div key=${term}><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
    ${node.drain && html`<${Drain} node=${node} ...${{ actions, about, onClose }} />`}
  <//>`;
}

function Drain({ node, ...rest }) {
  const [replace, setReplace] = useState(true);
  const always = node.kind === "edge";
  const body = { instance: node.drain, replace: always || replace };
  return html`<h3>Drain</h3>
    <p>It takes nothing new, finishes what it has and ends; the others take over. No client is disconnected.</p>
    ${
      !always &&
      html`<label class="check"><input type="checkbox" checked=${replace} onChange=${(event) => setReplace(event.target.checked)} />
      start another one in its place first</label>`
    }
    <${Order} path="/api/drain" body=${body} what="drain" whom=${node.drain} label="Drain" ...${rest} />`;
}

/** The button, the token if there is none yet, and the story of the action while it runs. */
function Order({ path, body, what, whom, label, actions, about, onClose }) {
  const [begun, setBegun] = useState(undefined);
  const [trouble, setTrouble] = useState("");
  const [needsToken, setNeedsToken] = useState(token() === "");
  const [busy, setBusy] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    const typed = new FormData(event.target).get("token");
    if (typed) keepToken(typed.trim());
    setBusy(true);
    setTrouble("");
    try {
      setBegun((await order(path, body)).action);
      setNeedsToken(false);
    } catch (error) {
      if (error.status === 401) {
        forgetToken();
        setNeedsToken(true);
      }
      setTrouble(error.message);
    } finally {
      setBusy(false);
    }
  };
  const action = begun && (actions.find(({ id }) => id === begun.id) ?? begun);
  if (action) return html`<${Story} action=${action} onClose=${onClose} />`;
  const other = actions.find(({ state }) => state === "running");
  return html`<form onSubmit=${send}>
    ${
      needsToken &&
      html`<label class="field">Token
      <input name="token" type="password" autocomplete="off" required autofocus spellcheck="false" aria-describedby="token-help" />
      <span class="dim" id="token-help">It stands in <code>${about?.tokenFile ?? "dashboard.token"}</code> and is kept in this tab only.</span></label>`
    }
    ${trouble && html`<p class="notice bad" role="alert">${trouble}</p>`}
    ${other && html`<p class="notice">${other.what} ${other.whom} is under way; one at a time.</p>`}
    <div class="buttons">
      <button type="submit" class="primary" disabled=${busy || other !== undefined} data-order=${what} data-whom=${whom}>${label}</button>
    </div>
  </form>`;
}

const STATES = { running: "under way", done: "done", failed: "failed" };

function Story({ action, onClose }) {
  const { what, whom, state, lines, reason, startedAt, endedAt } = action;
  const took = endedAt === undefined ? "" : ` in ${((endedAt - startedAt) / 1_000).toFixed(1)} s`;
  return html`<div class="story">
    <p role="status" class=${`outcome ${state}`} data-state=${state}><b>${what} ${whom}</b> ${STATES[state]}${took}</p>
    ${state === "running" && html`<progress aria-label="under way"></progress>`}
    <ol class="steps">${lines.map((line, i) => html`<li key=${i}>${line}</li>`)}</ol>
    ${reason && html`<p class="notice bad" role="alert">${reason}</p>`}
    <div class="buttons"><button type="button" onClick=${onClose}>Close</button></div>
  </div>`;
}

export function LatestActions({ actions }) {
  if (actions.length === 0) return null;
  return html`<section class="card" aria-labelledby="actions-title">
    <header class="cardhead"><h2 id="actions-title">Swaps and drains</h2></header>
    <ul class="actionlist scroll tall" tabindex="0" aria-labelledby="actions-title">${actions.map(
      (it) => html`<li key=${it.id}>
      <details><summary><time class="dim">${clock(it.startedAt)}</time> ${it.what} ${it.whom} <b class=${`outcome ${it.state}`}>${STATES[it.state]}</b></summary>
        <ol class="steps">${it.lines.map((line, i) => html`<li key=${i}>${line}</li>`)}</ol>
        ${it.reason && html`<p class="notice bad">${it.reason}</p>`}
      </details></li>`,
    )}</ul>
  </section>`;
}
