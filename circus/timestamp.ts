// strftime, as far as `time_format` needs it. Local time, like Circus. Pure.

const TWO = (value: number): string => String(value).padStart(2, "0");
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DIRECTIVES: Readonly<Record<string, (at: Date) => string>> = {
  Y: (at) => String(at.getFullYear()),
  y: (at) => TWO(at.getFullYear() % 100),
  m: (at) => TWO(at.getMonth() + 1),
  d: (at) => TWO(at.getDate()),
  H: (at) => TWO(at.getHours()),
  M: (at) => TWO(at.getMinutes()),
  S: (at) => TWO(at.getSeconds()),
  // Microseconds in strftime; the clock here has milliseconds.
  f: (at) => String(at.getMilliseconds() * 1_000).padStart(6, "0"),
  a: (at) => DAYS[at.getDay()] ?? "",
  b: (at) => MONTHS[at.getMonth()] ?? "",
  z: (at) => zone(-at.getTimezoneOffset()),
  "%": () => "%",
};

/** The letters that may follow `%`. */
export const TIME_DIRECTIVES = Object.keys(DIRECTIVES).join("");

function zone(minutesEast: number): string {
  const minutes = Math.abs(minutesEast);
  return `${minutesEast < 0 ? "-" : "+"}${TWO(Math.floor(minutes / 60))}${TWO(minutes % 60)}`;
}

export function formatTime(format: string, at: Date): string {
  return format.replace(/%(.)/g, (whole, letter: string) => DIRECTIVES[letter]?.(at) ?? whole);
}
