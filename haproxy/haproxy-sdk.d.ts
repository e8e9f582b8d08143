// The part of haproxy-sdk (which brings no types) that runtime.ts uses.

declare module "haproxy-sdk" {
  export default class HAProxy {
    constructor(socket: string, retry?: number | null, retryIntervalSeconds?: number, timeoutSeconds?: number);
    /** One entry a process; `{ "1": lines }`. */
    command(command: string): Promise<Record<string, string[]>[]>;
    info(): Promise<Record<string, string>[]>;
    readonly _hap_processes: readonly { readonly process_nb: Promise<string> }[];
  }
}
