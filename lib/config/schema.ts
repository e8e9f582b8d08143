// Looking into a zod schema by the path of a key.

import { z } from "zod";

/** The keys that a table may have. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const at = schemaAt(schema, path);
  const table = at && unwrap(at);
  return table instanceof z.ZodObject ? Object.keys(table.shape) : [];
}

/** The schema of one key, whatever defaults and options wrap it. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const part of path) {
    const bare: z.ZodType | undefined = at && unwrap(at);
    if (bare instanceof z.ZodObject) at = bare.shape[String(part)] as z.ZodType | undefined;
    else if (bare instanceof z.ZodArray) at = bare.element as z.ZodType;
    else if (bare instanceof z.ZodRecord) at = bare.valueType as z.ZodType;
    else return undefined;
  }
  return at?.description === undefined && at ? unwrap(at) : at;
}

function unwrap(schema: z.ZodType): z.ZodType {
  let at = schema;
  while (
    at instanceof z.ZodDefault ||
    at instanceof z.ZodPrefault ||
    at instanceof z.ZodOptional ||
    at instanceof z.ZodNullable
  ) {
    at = at.unwrap() as z.ZodType;
  }
  return at;
}
