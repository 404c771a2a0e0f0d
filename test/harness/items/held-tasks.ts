import { setImmediate as turn } from 'node:timers/promises'

/** Tasks that are ended by hand, and the order in which they began. */
export function heldTasks(begun: string[] = []) {
  const ends = new Map<string, () => void>()
  const task = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
  }
  const end = async (name: string) => {
    ends.get(name)!()
    await turn()
  }
  return { begun, task, end }
}
