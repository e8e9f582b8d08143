// Counts refused shares, by reason and by worker.
//
// A refused share proves no work, so it must not create anything that is named by the client: a worker that never had a
// share recorded is counted in the totals only.
//
//   KEYS[1] totals   ARGV[1] prefix of the workers' keys (same hash tag)   ARGV[2...] worker, reason, count each
//   returns nothing of use

import { Script } from "../../../lib/wiring/index.js";

export const reject = new Script(
  "reporter/reject",
  `
for i = 2, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[1], 'rejected:' .. ARGV[i+1], ARGV[i+2])
  local name = ARGV[1] .. ARGV[i]
  if redis.call('EXISTS', name) == 1 then redis.call('HINCRBY', name, 'rejected', ARGV[i+2]) end
end
return 0
`,
);
