// Show: the live screen on a terminal, plain lines anywhere else.

import { createLogUpdate } from "log-update";
import { standardLines } from "../../lib/log/index.js";
import type { Log } from "../../lib/wiring/index.js";
import { drawScreen } from "./screen.js";
import type { Mood, View } from "./view.js";

const DRAW_MS = 250;

export interface Show {
  /** One line about something that happened. On a terminal the screen shows it anyway once it runs. */
  line(text: string, mood?: Mood): void;
  /** From now on the whole view is drawn, if there is a terminal to draw on. */
  start(view: () => View): void;
  /** Back to lines; the last picture stays. */
  stop(): void;
}

/** The same, and what matters of it in a log: that of a run is read when the screen is gone. What goes on all the time is left out. */
export function logged(show: Show, log: Log): Show {
  return {
    ...show,
    line: (text, mood) => {
      if (mood !== "plain" && mood !== "good") log[mood === "bad" ? "warn" : "info"](text);
      show.line(text, mood);
    },
  };
}

export function openShow(): Show {
  const { stdout } = process;
  const lines = standardLines(1);
  const terminal = Object.create(stdout, {
    write: { value: (text: string) => lines.write(text) },
  }) as NodeJS.WriteStream;
  const update = createLogUpdate(terminal, { showCursor: false });
  let timer: NodeJS.Timeout | undefined;
  return {
    line: (text) => {
      if (!timer) lines.write(`${new Date().toTimeString().slice(0, 8)}  ${text}\n`);
    },
    start: (view) => {
      if (!stdout.isTTY) return;
      const draw = () => {
        if (!lines.flush()) return; // The terminal stands still (Ctrl-S), or is gone: it gets the newest picture when it is back.
        const { columns, rows } = stdout;
        update(drawScreen(view(), { columns, rows, colours: stdout.hasColors() }));
      };
      timer = setInterval(draw, DRAW_MS);
      draw();
    },
    stop: () => {
      clearInterval(timer);
      if (timer) update.done();
      timer = undefined;
    },
  };
}
