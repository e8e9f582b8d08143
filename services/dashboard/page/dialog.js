// Dialog: a modal that the browser keeps: focus stays in it, Escape closes it, focus returns to where it was.

import { useEffect, useRef } from "preact/hooks";
import { html } from "./html.js";

export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  useEffect(() => {
    element.current.showModal();
  }, []);
  const outside = (event) => {
    if (event.target === element.current) element.current.close();
  };
  return html`<dialog ref=${element} onClose=${onClose} onClick=${outside} aria-labelledby="dialog-title">
    <div class="dialog">
      <header class="cardhead">
        <h2 id="dialog-title">${title}</h2>
        <button type="button" class="small" onClick=${() => element.current.close()} aria-label="Close">✕</button>
      </header>
      ${children}
    </div>
  </dialog>`;
}
