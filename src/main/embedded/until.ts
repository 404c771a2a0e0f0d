import { setTimeout as sleep } from 'node:timers/promises'

const PAUSE_MS = 50

/** Checks a condition every 50 ms. @returns whether it became true within `msMax`. */
export async function until(isTrue: () => Promise<boolean>, msMax: number): Promise<boolean> {
  for (const end = Date.now() + msMax; Date.now() < end; await sleep(PAUSE_MS)) {
    if (await isTrue()) return true
  }
  return false
}
