import { InvalidArgumentError } from 'commander'

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A span of time on the command line, such as 15m, in milliseconds. */
export function timeSpan(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (number === undefined || Number(number) === 0) throw new InvalidArgumentError('must be a time such as 90s, 15m, 1h or 2d.')
  return Number(number) * UNIT_MS[unit!]!
}
