// Masking: what holds a secret is replaced before a configuration, a command line or an error is shown to anybody.
//
//   configuration, environment, command line, error text --(masked)--> terminal, log, control socket
//
// Output is pasted into tickets and kept in scroll-back, so masking does not depend on who may read the source of it.

/** A key or variable that holds a secret itself. One that names the file of a secret (`passwordFile`) does not. */
const SECRET_NAME = /pass(word|wd|phrase)?|secret|token|credential|private|api_?key|(^|_)(key|auth|cookie)$/i;
const SECRET_FILE = /file$/i;
export const MASK = "***";
/** `scheme://user:PASSWORD@host`, with or without a user. The password ends at the last `@`: an unescaped one may hold `@` and `/`. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@[]*):[^\s"']*@/gi;
/** `--redis.password=X`, `TOKEN=X`. */
const ASSIGNED = /([\w.-]*(?:password|passwd|passphrase|secret|token)[\w.-]*=)("[^"]*"|'[^']*'|\S+)/gi;

/** Whether the value of a setting or variable of this name is a secret. */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name) && !SECRET_FILE.test(name);

/** The text, without passwords in URLs and assignments. */
export function maskText(text: string): string {
  return text.replace(URL_PASSWORD, `$1:${MASK}@`).replace(ASSIGNED, `$1${MASK}`);
}

/** Environment variables, with the values of those that hold secrets masked. */
export function maskVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, isSecretName(name) ? MASK : maskText(value)]),
  );
}

/** A configuration tree, with every secret in it masked, passwords in URLs included. `key` is the name under which `value` stands. */
export function maskSecrets(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, key));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, maskSecrets(item, name)]));
  }
  if (value === undefined || value === "") return value;
  if (isSecretName(key)) return MASK;
  return typeof value === "string" ? maskText(value) : value;
}
