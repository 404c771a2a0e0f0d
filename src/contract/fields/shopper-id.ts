import { z } from 'zod'
import { Id } from './id.ts'

const KINDS = ['account', 'session'] as const

/** A shopper who is signed in, or the visit of one who is not. */
export interface Shopper {
  kind: (typeof KINDS)[number]
  /** The account_id or session_id of the shopper's events. It may contain colons. */
  id: string
}

/** A shopper as `account:<account_id>` or `session:<session_id>`. */
export const ShopperId = z
  .string()
  .refine((text) => shopperOf(text) !== undefined, {
    error: 'must be account:<account_id> or session:<session_id>, with an id of 1 to 200 characters',
  })
  .meta({ pattern: '^(account|session):', examples: ['account:ada'] })

/** The parts of a shopper's id; undefined when it is not one. */
export function shopperOf(text: string): Shopper | undefined {
  const kind = KINDS.find((each) => text.startsWith(`${each}:`))
  if (kind === undefined) return undefined
  const id = text.slice(kind.length + 1)
  return Id.safeParse(id).success ? { kind, id } : undefined
}

/** The id of a shopper, as shopper_product and shopper_recent have it. */
export function shopperIdOf({ kind, id }: Shopper): string {
  return `${kind}:${id}`
}
