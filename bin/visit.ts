// Visit: a house for the length of one command. It says nothing of its own: what goes wrong is the command's to explain.

import { type OpenedHouse, openHouse } from "../lib/wiring/index.js";
import type { Config } from "./config.js";

export async function visit<T>(config: Config, act: (house: OpenedHouse) => Promise<T>): Promise<T> {
  const level = process.env.HEADFRAME_DEBUG ? "debug" : "silent";
  const house = await openHouse({ ...config.house, log: { level, name: "headframe" } });
  try {
    return await act(house);
  } finally {
    await house.close();
  }
}
