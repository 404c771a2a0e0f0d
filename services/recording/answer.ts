import type { CreateInteractionResponse, RejectedItem } from '../../src/contract/interaction.ts'

export interface Outcome {
  accepted: number
  duplicateIndexes: number[]
  /** In any order; further fields than those of the answer are left out. */
  rejected: readonly RejectedItem[]
}

/** What became of the items of a call, as its caller is told. */
export function recordedAnswer({ accepted, duplicateIndexes, rejected }: Outcome): CreateInteractionResponse {
  return {
    accepted,
    duplicates: duplicateIndexes.length,
    duplicate_indexes: duplicateIndexes,
    rejected: rejected
      .map(({ index, code, field, message }) => ({ index, code, field, message }))
      .toSorted((one, other) => one.index - other.index),
  }
}
