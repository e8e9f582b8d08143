// In: the API's questions, answered; its two orders, carried out.

import type { ReporterContract } from "../../lib/contracts/index.js";
import { seenHere } from "../../lib/process-mark.js";
import { type House, type Instance, type ReplyOf, redisFailure, WiringError } from "../../lib/wiring/index.js";
import type { Actions } from "./actions.js";
import type { Happenings } from "./happenings.js";
import { type Handlers, HttpProblem } from "./in-http.js";
import type { Services } from "./in-services.js";
import type { PoolView } from "./model.js";
import type { SeriesStore } from "./out-series.js";
import { draw } from "./picture.js";
import type { Operator, Swappable } from "./ports.js";
import type { Ring } from "./series.js";

export interface ApiOptions {
  readonly house: House;
  readonly services: Services;
  readonly series: SeriesStore;
  readonly actions: Actions;
  readonly happenings: Happenings;
  readonly operator: Operator | undefined;
  /** Of the API, made when the address is known. */
  document(): object;
}

type Look = Awaited<ReturnType<Services["look"]>>;

/** The pool's figures with what else a glance needs. Undefined: no reporter has answered yet. */
export function poolView({ pool, job, readings, stale }: Look): PoolView | undefined {
  if (!pool) return undefined;
  const connections = readings.edges.reduce((sum, { status }) => sum + (status?.connections ?? 0), 0);
  return {
    ...{ ...pool, connections, stale },
    ...(job && { job: { id: job.id, height: job.height, templateAt: job.templateAt } }),
  };
}

export function handlersOf(options: ApiOptions): Handlers {
  const { services, series, actions, happenings } = options;
  const { reporter } = services.clients;
  const pool = async () => {
    const view = poolView(await services.look());
    if (!view) throw new HttpProblem(503, "no reporter has answered yet: is one running? `headframe ps` lists them");
    return view;
  };
  return {
    pool,
    workers: (request: Request<"workers">) => answered("reporter", reporter.call("workers", request)),
    blocks: (request: Request<"blocks">) => answered("reporter", reporter.call("blocks", request)),
    rounds: (request: Request<"rounds">) => answered("reporter", reporter.call("rounds", request)),
    series: ({ span }: { span: Ring["name"] }) => answered("Redis", series.read(span, Date.now())),
    connections: (request: { match?: string; limit: number }, insider: boolean) =>
      services.connections({ ...request, ...(insider ? {} : { by: "worker" as const }) }), // Or an id could be guessed part by part.
    targets: () => targetsOf(services.instances()),
    house: async () => draw((await services.look()).readings),
    instances: () => ({ instances: services.instances() }),
    happenings: () => ({ happenings: happenings.kept }),
    actions: () => ({ actions: actions.kept }),
    swap: (order: { service: Swappable }) => swap(options, order),
    drain: (order: { instance: string; replace: boolean }) => drain(options, order),
    openapi: () => options.document(),
    health: () => ({ status: "alive" }),
    ready: async () => {
      await pool();
      return { status: "ready" };
    },
  };
}

/** One target a process; a process that hosts several services is one all the same. */
function targetsOf(instances: readonly Instance[]) {
  const byAddress = new Map(
    instances.flatMap((it) => (it.meta.http === undefined ? [] : [[it.meta.http, it] as const])),
  );
  return [...byAddress].map(([url, { service, id, host }]) => ({
    targets: [new URL(url).host],
    labels: { service, instance_id: id, node: host },
  }));
}

type Request<M extends "workers" | "blocks" | "rounds"> = Parameters<ReporterCall<M>>[0];
type ReporterCall<M extends keyof ReporterContract["methods"]> = (
  request: import("zod").z.output<ReporterContract["methods"][M]["request"]>,
) => Promise<ReplyOf<ReporterContract, M>>;

function swap({ actions, operator }: ApiOptions, { service }: { service: Swappable }) {
  const manager = managed(operator);
  return begun(
    actions,
    actions.begin("swap", service, (tell) => manager.swap(service, tell)),
  );
}

function drain({ actions, operator, services }: ApiOptions, order: { instance: string; replace: boolean }) {
  const manager = managed(operator);
  const { instance, replace } = order;
  const known = services.instances().find(({ id }) => id === instance);
  if (!known) throw new HttpProblem(404, `there is no instance ${instance}: /api/instances lists them`);
  if (!seenHere(known))
    throw new HttpProblem(409, `${instance} runs on ${known.host}, and not here: use the dashboard there`);
  return begun(
    actions,
    actions.begin("drain", instance, (tell) => manager.drain(instance, { replace }, tell)),
  );
}

function begun(actions: Actions, action: ReturnType<Actions["begin"]>) {
  if (action) return { action };
  const { what, whom } = actions.running ?? {};
  throw new HttpProblem(409, `${what} ${whom} is under way: one at a time`);
}

function managed(operator: Operator | undefined): Operator {
  if (!operator) throw new HttpProblem(503, "this dashboard was opened without a process manager");
  return operator;
}

/** 503 with the reason, when whoever knows does not answer. */
async function answered<T>(who: string, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    if (error instanceof WiringError) throw new HttpProblem(503, `${who}: ${error.message}`);
    if (who === "Redis") throw new HttpProblem(503, `Redis: ${redisFailure(error)}`);
    throw error;
  }
}
