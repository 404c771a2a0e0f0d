import { Interaction } from '../../contract/interaction.ts'

const METADATA = 'metadata.'

/** The fields that a column can be mapped to. */
export const FIELDS: readonly string[] = Object.keys(Interaction.shape)

/** Whether a rule may fill this: a field of an interaction, or one key of its metadata as `metadata.price`. */
export function isTarget(name: string): boolean {
  return FIELDS.includes(name) || metadataKeyOf(name) !== undefined
}

/** `price` for `metadata.price`. */
export function metadataKeyOf(target: string): string | undefined {
  return target.startsWith(METADATA) && target.length > METADATA.length ? target.slice(METADATA.length) : undefined
}

/** What an event cannot be without; of each group one field is enough. */
export const NEEDED: readonly (readonly string[])[] = [
  ['event_type'],
  ['ref_id'],
  ['account_id', 'session_id'],
  ['occurred_at', 'event_id'],
]
