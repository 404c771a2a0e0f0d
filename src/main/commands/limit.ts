import { InvalidArgumentError } from 'commander'

/** How many lines of a list are asked for: a page's worth at most. */
export function limitOf(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new InvalidArgumentError('It is a whole number from 1 to 100.')
  return limit
}
