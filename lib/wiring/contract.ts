// A contract: what a service offers, as TypeScript types inferred from runtime schemas.
//
//   contract = service name + methods (request, reply) + pushes (message)
//
// One object serves three readers: the compiler (types of calls and handlers), the door (validation of what arrives over
// the network, once), and people (`headframe call` prints a method's schema from it).

import type { z } from "zod";

export interface MethodSpec<Request extends z.ZodType = z.ZodType, Reply extends z.ZodType = z.ZodType> {
  readonly request: Request;
  readonly reply: Reply;
  /** True: running it twice equals running it once, so that a call whose peer died is repeated on another instance. */
  readonly idempotent: boolean;
  /** Whole budget of a call, retries included, unless the caller says otherwise. Milliseconds. */
  readonly timeoutMs: number;
}

export interface PushSpec<Message extends z.ZodType = z.ZodType> {
  readonly message: Message;
}

export interface Contract {
  /** The service's name: lower case, as an operator says it. */
  readonly service: string;
  readonly methods: Readonly<Record<string, MethodSpec>>;
  readonly pushes: Readonly<Record<string, PushSpec>>;
}

export type MethodName<C extends Contract> = keyof C["methods"] & string;
export type PushName<C extends Contract> = keyof C["pushes"] & string;
export type RequestOf<C extends Contract, M extends MethodName<C>> = z.output<C["methods"][M]["request"]>;
export type ReplyOf<C extends Contract, M extends MethodName<C>> = z.output<C["methods"][M]["reply"]>;
export type MessageOf<C extends Contract, P extends PushName<C>> = z.output<C["pushes"][P]["message"]>;

const METHOD_TIMEOUT_MS = 2_000;

/** Declares a method. `timeoutMs` defaults to 2_000. */
export function method<Request extends z.ZodType, Reply extends z.ZodType>(spec: {
  request: Request;
  reply: Reply;
  idempotent: boolean;
  timeoutMs?: number;
}): MethodSpec<Request, Reply> {
  return { timeoutMs: METHOD_TIMEOUT_MS, ...spec };
}

/** Declares a push. */
export function push<Message extends z.ZodType>(message: Message): PushSpec<Message> {
  return { message };
}

/** Names a service and what it offers; keeps the exact types. */
export function defineContract<const C extends Contract>(contract: C): C {
  return contract;
}
