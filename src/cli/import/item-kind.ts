import type * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { Condition } from './condition.ts'
import type { TimeReading } from './instant.ts'
import type { Row } from './row.ts'

/** An item to send. Its fields are checked by the receiver. */
export type Item = Record<string, unknown>

/** How many items were new, how many were duplicates, and which were rejected. Interactions and products have the same answer. */
export type BatchAnswer = CreateInteractionResponse

/** A kind of item that rows of a file can become. */
export interface ItemKind {
  /** `an interaction`, in a sentence. */
  noun: string
  /** The fields that a column can be mapped to. */
  fields: readonly string[]
  /** All fields in a sentence. */
  fieldsInWords: string
  /** Whether a rule may fill the field of this name. */
  isField: (name: string) => boolean
  /** Groups of fields; an item needs a field of each group. */
  needed: readonly (readonly string[])[]
  /** Fields that a column of the same name fills even when other columns are mapped, if the conditions hold. */
  named: Readonly<Record<string, readonly Condition[]>>
  /** Converts a cell to a field's value; Unreadable when it cannot. */
  read: (field: string, cell: unknown, time: TimeReading) => unknown
  /** The item of a row from the values of its fields. */
  itemOf: (values: ReadonlyMap<string, unknown>, row: Row, file: { modifiedMs: number }) => Item
  /** Sends a batch to be recorded. */
  record: (ingress: clients.Ingress, items: Item[], call: { idempotencyKey: string; timeout: number }) => Promise<BatchAnswer>
}
