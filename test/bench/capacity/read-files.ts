import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Machines, ServiceTimes } from './model.ts'

const count = z.number().int().min(1).max(10_000)
const machines = z
  .array(
    z.strictObject({
      name: z.string(),
      gateways: count,
      endpoints: count,
      restateCores: count,
      postgresCores: count,
      shards: count,
      lanes: count,
      sharedCores: count.exactOptional(),
    }),
  )
  .min(1)

const microseconds = z.number().positive()
const times = z
  .strictObject({
    gateway: microseconds,
    endpoint: microseconds,
    restate: microseconds,
    record: microseconds,
    count: microseconds,
    lane: microseconds,
    request: microseconds,
    call: z.strictObject({ endpoint: microseconds, restate: microseconds, postgres: microseconds }),
  })
  .partial()

/** @throws Error with a sentence about the file. */
export const machinesIn = (file: string): readonly Machines[] => parsed(file, machines)

/** @throws Error with a sentence about the file. */
export const timesIn = (file: string): Partial<ServiceTimes> => parsed(file, times) as Partial<ServiceTimes>

function parsed<T>(file: string, schema: z.ZodType<T>): T {
  const { data, error } = schema.safeParse(jsonIn(file))
  if (data !== undefined) return data
  const [{ path, message }] = error!.issues as [z.core.$ZodIssue]
  throw new Error(`${file}: ${path.join('.') || 'the file'}: ${message}`)
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`${file} cannot be read as JSON: ${(error as Error).message}`, { cause: error })
  }
}
