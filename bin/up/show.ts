// Show: the live screen on a terminal, plain lines anywhere else.

import { createLogUpdate } from "log-update";
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

export function openShow(stream: NodeJS.WriteStream): Show {
  const update = createLogUpdate(stream, { showCursor: false });
  let timer: NodeJS.Timeout | undefined;
  const write = (text: string) => stream.write(`${new Date().toTimeString().slice(0, 8)}  ${text}\n`);
  return {
    line: (text) => {
      if (!timer) write(text);
    },
    start: (view) => {
      if (!stream.isTTY) return;
      const draw = () => {
        const { columns, rows } = stream;
        update(drawScreen(view(), { columns, rows, colours: stream.hasColors() }));
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
