// In: new tips and blocks, as they are pushed, into what happened.

import type { Happenings } from "./happenings.js";
import type { Services } from "./in-services.js";

/** Until the returned function is called. */
export function followNews({ clients }: Services, happenings: Happenings): () => void {
  let height = 0;
  const jobs = clients.jobmanager.subscribe("job", {
    onMessage: (job) => {
      if (job.height <= height) return;
      if (height > 0) happenings.add("job", "plain", `new work: block ${job.height}, job ${job.id}`);
      height = job.height;
    },
  });
  const blocks = clients.reporter.subscribe("block", {
    onMessage: ({ height: at, status, worker, confirmations }) => {
      if (status === "accepted" && confirmations > 1) return; // It ripens; the table of blocks shows it.
      const good = status === "accepted" || status === "confirmed";
      const mood = good ? "good" : status === "pending" ? "plain" : "bad";
      happenings.add("block", mood, `block ${at} ${status}, found by ${worker}`);
    },
  });
  return () => {
    jobs.close();
    blocks.close();
  };
}
