// dashboard: where the web dashboard is, so that whoever started the pool can say it.

import { z } from "zod";
import { defineContract, method } from "../wiring/index.js";

export const dashboard = defineContract({
  service: "dashboard",
  methods: {
    status: method({
      request: z.object({}),
      reply: z.object({
        /** Where a browser finds it, `http://127.0.0.1:3380/`. */
        url: z.string().max(512),
        /** File that holds the token for swap and drain. */
        tokenFile: z.string().max(4_096),
        /** Browsers that follow it live. */
        viewers: z.number().int(),
      }),
      idempotent: true,
    }),
  },
  pushes: {},
});
export type DashboardContract = typeof dashboard;
