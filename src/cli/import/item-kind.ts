import type * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { Condition } from './condition.ts'
import type { TimeReading } from './instant.ts'
import type { Row } from './row.ts'

/** What is sent. The contract judges it on the other side; here it only has to be one at all. */
export type Item = Record<string, unknown>

/** How many were new, how many changed nothing, and which were refused; interactions and products are answered alike. */
export type BatchAnswer = CreateInteractionResponse

/** What the rows of a file become. */
export interface ItemKind {
  /** `an interaction`, in a sentence. */
  noun: string
  /** The fields that a column can be mapped to. */
  fields: readonly string[]
  /** All of them in a sentence. */
  fieldsInWords: string
  /** Whether a rule may fill this. */
  isField: (name: string) => boolean
  /** What an item cannot be without; of each group one field is enough. */
  needed: readonly (readonly string[])[]
  /** Fields that a column of the same name fills also when other columns are mapped, where these conditions hold. */
  named: Readonly<Record<string, readonly Condition[]>>
  /** A cell as a field's value; an Unreadable when it is none. */
  read: (field: string, cell: unknown, time: TimeReading) => unknown
  /** The item of a row whose rules gave these values. */
  itemOf: (values: ReadonlyMap<string, unknown>, row: Row, file: { modifiedMs: number }) => Item
  /** Sends a batch to be recorded. */
  record: (ingress: clients.Ingress, items: Item[], call: { idempotencyKey: string; timeout: number }) => Promise<BatchAnswer>
}
