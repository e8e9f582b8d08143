// Live: the server's events become the state that everything on the page is drawn from.
//
//   /api/live --about, house, pool, blocks, actions, happenings--> state         happened, shares --> added to it
//
// A browser comes back by itself when the stream ends; until then the page says that what it shows is old.

import { useEffect, useState } from "preact/hooks";

const HAPPENINGS_KEPT = 200;
/** How long the lines of the picture show that a share went by. */
const PULSE_MS = 1_100;

let state = {
  connected: false,
  about: undefined,
  house: undefined,
  pool: undefined,
  blocks: undefined,
  actions: [],
  happenings: [],
  lastShare: undefined,
  pulse: false,
};
const listeners = new Set();

function change(part) {
  state = { ...state, ...part };
  for (const listener of listeners) listener(state);
}

export function useLive() {
  const [now, setNow] = useState(state);
  useEffect(() => {
    listeners.add(setNow);
    setNow(state);
    return () => listeners.delete(setNow);
  }, []);
  return now;
}

/** Milliseconds since the epoch, once a second, so that ages count on. */
export function useNow() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

let pulseTimer;
function pulse({ shares }) {
  const newest = shares.at(-1);
  change({ lastShare: newest ?? state.lastShare, pulse: true });
  clearTimeout(pulseTimer);
  pulseTimer = setTimeout(() => change({ pulse: false }), PULSE_MS);
}

export function follow() {
  const source = new EventSource("/api/live");
  source.onopen = () => change({ connected: true });
  source.onerror = () => {
    change({ connected: false });
    // A browser gives up on an answer that is no stream, such as a proxy's error page.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 3_000);
  };
  const on = (name, take) => source.addEventListener(name, ({ data }) => take(JSON.parse(data)));
  for (const name of ["about", "house", "blocks", "actions", "happenings"]) {
    on(name, (content) => change({ [name]: content }));
  }
  on("pool", (content) => change({ pool: content ?? undefined }));
  on("happened", (it) => change({ happenings: [...state.happenings, it].slice(-HAPPENINGS_KEPT) }));
  on("shares", pulse);
}
