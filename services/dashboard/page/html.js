// Html: what builds the page's elements. Texts become text nodes, never markup.

import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
