// Main: the page as a whole.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { LatestActions, NodeDialog, SwapDialog } from "./actions.js";
import { Figures } from "./figures.js";
import { House } from "./house.js";
import { html } from "./html.js";
import { follow, useLive, useNow } from "./live.js";
import { Plots } from "./plots.js";
import { Blocks, Connections, Happenings, Outcomes, Workers } from "./tables.js";

const THEMES = ["system", "light", "dark"];

function App() {
  const live = useLive();
  const now = useNow();
  const [theme, setTheme] = useTheme();
  const [open, setOpen] = useState(undefined);
  const { about, house, pool, blocks, actions, happenings, connected } = live;
  const close = () => setOpen(undefined);
  const node = open?.node && (house?.nodes.find(({ id }) => id === open.node.id) ?? open.node);
  const shared = { actions, about, onClose: close };
  return html`
    <a class="skip" href="#main">Skip to the figures</a>
    <header class="top">
      <h1><img src="/icon.svg" alt="" width="26" height="26" /> Headframe
        ${about && html` <span class="dim cluster">${about.cluster} on ${about.host}</span>`}</h1>
      <div class="tools">
        <span class=${`live ${connected ? "good" : "bad"}`} role="status"><i aria-hidden="true"></i>${connected ? "live" : "not connected"}</span>
        <button type="button" class="small" onClick=${() => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length])}
          aria-label=${`Colours: ${theme}. Change`}>${theme === "dark" ? "☾ dark" : theme === "light" ? "☼ light" : "◐ system"}</button>
      </div>
    </header>
    <main id="main" tabindex="-1">
      ${!connected && pool && html`<p class="notice">The dashboard does not answer: what you see is old. It is asked again and again.</p>`}
      <${Figures} ...${{ pool, now, lastShare: live.lastShare }} />
      <${House} ...${{ house, now, pulse: live.pulse }} onOpen=${(it) => setOpen({ node: it })} onSwap=${(service) => setOpen({ service })} />
      <${Plots} theme=${theme} />
      <div class="pair">
        <${Blocks} ...${{ blocks, now }} />
        <${Happenings} happenings=${happenings} />
      </div>
      <div class="pair">
        <${Outcomes} pool=${pool} />
        <${LatestActions} actions=${actions} />
      </div>
      <${Connections} now=${now} />
      <${Workers} now=${now} />
    </main>
    <footer class="dim">
      ${about && `Headframe ${about.version}. `}<a href="/api/openapi.json">API</a> · <a href="/api/targets">metrics of each process</a> · <a href="/healthz">health</a>
    </footer>
    ${open?.service && html`<${SwapDialog} service=${open.service} ...${shared} />`}
    ${node && html`<${NodeDialog} node=${node} now=${now} ...${shared} />`}
  `;
}

function useTheme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "system");
  const [, setSystem] = useState(false);
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setSystem(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  const choose = (next) => {
    if (next === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("theme", next);
    }
    setTheme(next);
  };
  return [theme, choose];
}

follow();
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${App} />`, place);
