// Api: questions and orders to the server. The token stays in this tab and goes nowhere but into the Authorization header.

const TOKEN = "headframe.token";

export const token = () => sessionStorage.getItem(TOKEN) ?? "";
export const keepToken = (text) => sessionStorage.setItem(TOKEN, text);
export const forgetToken = () => sessionStorage.removeItem(TOKEN);

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function read(response) {
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  throw new ApiError(response.status, content.error ?? `the server answered ${response.status}`);
}

/** With the token, if this tab knows it: then the answer holds addresses and connection ids. A token that is none any more is forgotten. */
export async function ask(path, signal) {
  const headers = { accept: "application/json" };
  if (token() === "") return read(await fetch(path, { signal, headers }));
  const response = await fetch(path, { signal, headers: { ...headers, authorization: `Bearer ${token()}` } });
  if (response.status !== 401 && response.status !== 429) return read(response);
  forgetToken();
  return ask(path, signal);
}

export async function order(path, body) {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token()}` };
  return read(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}
