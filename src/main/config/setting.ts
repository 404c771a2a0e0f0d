import { z } from 'zod'

/** The values of the settings of a group. */
export type SettingsOf<Shape extends z.ZodRawShape> = z.infer<z.ZodObject<Shape>>

/** Notes the group of each setting for the reference (docs/configuration.md). */
export function settingsIn<Shape extends Record<string, z.ZodType>>(group: string, shape: Shape): Shape {
  return Object.fromEntries(Object.entries(shape).map(([name, schema]) => [name, schema.meta({ group })])) as Shape
}

export const text = z.string().min(1)
export const port = z.coerce.number().int().min(1).max(65_535)

/** The numbers of environment variables are text. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.coerce.number().int().min(min).max(max)
}

export function urlWith(protocol: RegExp, example: string) {
  return z.url({ protocol, error: `must be a URL such as ${example}` })
}

export function httpUrl(example: string) {
  return urlWith(/^https?$/, example)
}
