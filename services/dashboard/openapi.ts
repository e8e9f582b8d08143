// OpenAPI: the document of the HTTP API, made from the same table of routes that the server is made from. Pure.

import { z } from "zod";

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly tag: "Pool" | "House" | "Operation" | "Process";
  readonly summary: string;
  /** Parameters of the query; their texts are coerced. */
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  /** Of the 200 (or 202) answer. */
  readonly reply: z.ZodType | { readonly mediaType: string; readonly meaning: string };
  /** Begun, not done: 202. */
  readonly accepted?: boolean;
  /** Needs the token. */
  readonly guarded?: boolean;
  /** The same for everybody: it holds nothing that is not its asker's anyway. Otherwise the token shows more (public.ts). */
  readonly plain?: boolean;
  /** What else may come, by status. */
  readonly refusals?: Readonly<Record<number, string>>;
}

export interface About {
  readonly version: string;
  readonly url: string;
  readonly problem: z.ZodType;
}

/** OpenAPI 3.1, whose schemas are JSON Schema 2020-12, as zod writes them. */
export function openApi(routes: readonly Route[], { version, url, problem }: About): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Headframe",
      version,
      license: { name: "MIT", identifier: "MIT" },
      description:
        "What the pool knows of itself, and the two things that an operator does: swap and drain. Addresses of processes and ids of connections are shown to who sends the token only.",
    },
    servers: [{ url }],
    paths,
    components: {
      schemas: { Problem: schemaOf(problem, "output") },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "From dashboard.token in the folder of the run." },
      },
    },
  };
}

function operation(route: Route): object {
  const { method, path, tag, summary, query, body, guarded, plain, accepted, refusals = {} } = route;
  const guard = guarded
    ? { 401: "No token, or a wrong one.", 403: "A foreign page asks.", 415: "Not JSON." }
    : { 401: "A wrong token.", 429: "Too many wrong tokens from this address." };
  const bad = query || body ? { 400: "A parameter is wrong; the answer says which and what is accepted." } : {};
  const problems = { ...bad, ...guard, 421: "A name that is not ours (Host).", ...refusals };
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-z]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    ...{ tags: [tag], summary },
    ...(query && { parameters: parametersOf(query) }),
    ...(body && { requestBody: { required: true, content: json(schemaOf(body, "input")) } }),
    ...(guarded ? { security: [{ token: [] }] } : !plain && { security: [{}, { token: [] }] }),
    responses: {
      [accepted ? 202 : 200]: answer(route),
      ...Object.fromEntries(
        Object.entries(problems).map(([status, description]) => [
          status,
          { description, content: json({ $ref: "#/components/schemas/Problem" }) },
        ]),
      ),
    },
  };
}

function answer({ reply, accepted }: Route): object {
  if (!(reply instanceof z.ZodType)) {
    return { description: reply.meaning, content: { [reply.mediaType]: { schema: { type: "string" } } } };
  }
  return { description: accepted ? "Begun." : "As it is now.", content: json(schemaOf(reply, "output")) };
}

const json = (schema: object) => ({ "application/json": { schema } });

function parametersOf(query: z.ZodObject): object[] {
  const { properties = {}, required = [] } = schemaOf(query, "input") as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...{ name, in: "query", required: required.includes(name), schema },
    ...(description === undefined ? {} : { description }),
  }));
}

/** Every schema stands whole where it is used: a reader needs no second look, and parts of one name cannot clash. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    ...{ io, reused: "inline", unrepresentable: "any" },
    override: ({ jsonSchema }) => {
      delete jsonSchema.id; // zod's name for it.
      delete jsonSchema.$id;
    },
  });
  return rest;
}
