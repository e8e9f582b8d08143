// secrets: what nobody is shown, though the manager knows it: passwords in environments and in command lines. Pure.
//
//   options, get, answers, logs --(masked)--> whoever asks at the control socket
//
// The socket is its owner's alone, but what it answers is pasted into tickets and kept in scroll-back.

const SECRET_NAME = /pass(word|wd|phrase)?|secret|token|credential|private|api_?key|(^|_)(key|auth|cookie)$/i;
const HIDDEN = "***";
/** `scheme://user:PASSWORD@host`, with or without a user. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@[]*):[^\s/]*@/gi;
/** `--redis.password=X`, `TOKEN=X`. */
const ASSIGNED = /([\w.-]*(?:password|passwd|passphrase|secret|token)[\w.-]*=)("[^"]*"|'[^']*'|\S+)/gi;

/** The variables, with the values of those that hold secrets hidden. */
export function maskVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, SECRET_NAME.test(name) ? HIDDEN : maskText(value)]),
  );
}

/** The text, without passwords in URLs and assignments. */
export function maskText(text: string): string {
  return text.replace(URL_PASSWORD, `$1:${HIDDEN}@`).replace(ASSIGNED, `$1${HIDDEN}`);
}
