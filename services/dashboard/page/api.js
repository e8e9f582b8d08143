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

export async function ask(path, signal) {
  return read(await fetch(path, { signal, headers: { accept: "application/json" } }));
}

export async function order(path, body) {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token()}` };
  return read(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}
