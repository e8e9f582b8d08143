// The full screen of a terminal, for as long as somebody looks: what was there before comes back afterwards.

import { emitKeypressEvents } from "node:readline";
import { createLogUpdate } from "log-update";

const ALTERNATE = "\x1b[?1049h";
const BACK = "\x1b[?1049l";

export interface FullScreen {
  draw(text: string): void;
  close(): void;
}

/** @param onKey A key's name, `q`; Ctrl-C comes as `q`, too. */
export function openScreen(
  out: NodeJS.WriteStream,
  input: NodeJS.ReadStream,
  onKey: (key: string) => void,
): FullScreen {
  out.write(ALTERNATE);
  const update = createLogUpdate(out, { showCursor: false });
  const pressed = (_: string, { name, ctrl }: { name?: string; ctrl?: boolean }) =>
    onKey(ctrl && name === "c" ? "q" : (name ?? ""));
  if (input.isTTY) {
    emitKeypressEvents(input);
    input.setRawMode(true);
    input.on("keypress", pressed);
    input.resume();
  }
  return {
    draw: (text) => update(text),
    close() {
      update.done();
      out.write(BACK);
      if (!input.isTTY) return;
      input.off("keypress", pressed);
      input.setRawMode(false);
      input.pause();
    },
  };
}
