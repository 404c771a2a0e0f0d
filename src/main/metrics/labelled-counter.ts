import { Counter, type Registry } from 'prom-client'

interface LabelledCounter {
  name: string
  help: string
  label: string
  /** Values that exist from the start, because a rate misses the first event of a series that appears with it. */
  values: readonly string[]
}

/** A counter with one label. @returns a function that counts for a value of the label. */
export function labelledCounter(
  registry: Registry,
  { name, help, label, values }: LabelledCounter,
): (value: string, count?: number) => void {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry] })
  const add = (value: string, count = 1) => counter.inc({ [label]: value }, count)
  for (const value of values) add(value, 0)
  return add
}
