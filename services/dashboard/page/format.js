// Format: figures as people read them.

const RATES = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s"];
const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** 12.3 kH/s: three digits and the unit. */
export function hashrate(perSecond) {
  return scaled(perSecond, RATES);
}

export function bytes(count) {
  return scaled(count, SIZES);
}

function scaled(value, units) {
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 0.01))));
  return `${value.toFixed(Math.min(digits, 3))} ${units[unit]}`;
}

/** 4s, 3m 12s, 5h 2m, 2d 4h. */
export function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1_000));
  if (s < 60) return `${s}s`;
  if (s < 3_600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)}h ${Math.floor((s % 3_600) / 60)}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor((s % 86_400) / 3_600)}h`;
}

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const count = (value) => plain.format(value);

export function percent(part, whole) {
  if (whole === 0) return "0%";
  const value = (100 * part) / whole;
  return `${value === 0 ? "0" : value < 0.1 ? "<0.1" : value.toFixed(1)}%`;
}

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const clock = (ms) => clockFormat.format(ms);

/** stratum-1f0c9a2e, where the heading says stratum already. */
export const shortId = (id, service) => (id.startsWith(`${service}-`) ? id.slice(service.length + 1) : id);
