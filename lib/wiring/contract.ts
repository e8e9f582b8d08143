// A contract: what a service offers, as TypeScript types inferred from runtime schemas.
//
//   contract = service name + methods (request, reply) + pushes (message)
//
// One object serves three readers: the compiler (types of calls and handlers), the door (validation of what arrives over
// the network, once), and people (`headframe call` prints a method's schema from it).

import { z } from "zod";
import { DURATION_MAX_MS } from "../duration.js";

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

/** Of an instance's id: the service's name, a dash and 8 hex digits. */
export const INSTANCE_ID_MAX = 64;
const ID_END = "-12345678";

/** A service's name: it begins the ids of its instances, and stands in Redis' keys. */
export const serviceName = z
  .string()
  .max(INSTANCE_ID_MAX - ID_END.length)
  .regex(/^[a-z0-9][a-z0-9-]*$/, "expected a-z 0-9 - beginning with a letter or digit");

/** Of a method or a push. */
const NAME = /^[A-Za-z_$][\w$.:-]{0,63}$/;

/** Found right once: a contract is used by many clients. */
const checked = new WeakSet<Contract>();

/**
 * Where a contract is first used, so that a mistake in it is said there and not met by others later.
 *
 * @throws {TypeError} with the name that cannot be used, and what can.
 */
export function checkContract(contract: Contract): void {
  if (checked.has(contract)) return;
  const { service, methods, pushes } = contract;
  const name = serviceName.safeParse(service);
  if (!name.success) {
    const why = name.error.issues.map(({ message }) => message).join("; ");
    throw new TypeError(`a service cannot be named ${JSON.stringify(service)}: ${why}`);
  }
  for (const name of [...Object.keys(methods), ...Object.keys(pushes)]) {
    if (!NAME.test(name))
      throw new TypeError(
        `${service}: a method or push cannot be named ${JSON.stringify(name)}; expected a letter, then up to 63 letters, digits, _ $ . : -`,
      );
  }
  for (const [name, { timeoutMs }] of Object.entries(methods)) {
    if (!(typeof timeoutMs === "number" && timeoutMs > 0 && timeoutMs <= DURATION_MAX_MS))
      throw new TypeError(
        `${service}.${name}: a timeout of ${String(timeoutMs)} ms; expected more than 0, at most ${DURATION_MAX_MS} (24 days)`,
      );
  }
  checked.add(contract);
}

const METHOD_TIMEOUT_MS = 2_000;

/** Declares a method. `timeoutMs` defaults to 2_000. */
export function method<Request extends z.ZodType, Reply extends z.ZodType>(spec: {
  request: Request;
  reply: Reply;
  idempotent: boolean;
  timeoutMs?: number;
}): MethodSpec<Request, Reply> {
  return { ...spec, timeoutMs: spec.timeoutMs ?? METHOD_TIMEOUT_MS };
}

/** Declares a push. */
export function push<Message extends z.ZodType>(message: Message): PushSpec<Message> {
  return { message };
}

/** Names a service and what it offers; keeps the exact types. */
export function defineContract<const C extends Contract>(contract: C): C {
  return contract;
}
