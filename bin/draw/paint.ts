// Colours where the caller wants them. Since Node 22 styleText by itself looks at the process' stdout, which need not be where the text goes.

import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

export function painter(colours: boolean): Paint {
  return colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}
