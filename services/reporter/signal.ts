// A signal: several wait for it, one gives it, once. Pure.

export interface Signal {
  readonly heard: Promise<void>;
  say(): void;
}

export function signal(): Signal {
  let say = () => {};
  const heard = new Promise<void>((resolve) => {
    say = resolve;
  });
  return { heard, say };
}
