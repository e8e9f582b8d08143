// cote ships no types: what the benchmark uses of it.

declare module "cote" {
  interface Named {
    readonly name: string;
    readonly key: string;
  }
  class Responder {
    constructor(advertisement: Named, options: object);
    on(
      type: string,
      handler: (request: { text: string }, answer: (error: null, reply: { text: string }) => void) => void,
    ): void;
  }
  class Requester {
    constructor(advertisement: Named, options: object);
    readonly sock: { readonly socks: readonly unknown[] };
    send(request: object, answered: (error: unknown, reply: { text: string }) => void): void;
  }
  const cote: { readonly Responder: typeof Responder; readonly Requester: typeof Requester };
  export default cote;
}
