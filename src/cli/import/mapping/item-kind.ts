import type * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionResponse } from '../../../contract/interaction.ts'
import type { UpsertProductsResponse } from '../../../contract/product.ts'
import type { Condition } from './condition.ts'
import type { HeaderNames } from './header-names.ts'
import type { RowRejection } from './row-rejection.ts'
import type { Row } from '../source/row.ts'
import type { ValueReading } from '../values/value-reading.ts'

/** An item to send. Its fields are checked by the receiver. */
export type Item = Record<string, unknown>

/** How many items were new, how many were duplicates, and which were rejected. Of products also which are stale. */
export type BatchAnswer = CreateInteractionResponse & Pick<UpsertProductsResponse, 'stale'>

/** What an item is made from, besides the values of its fields. */
export interface ItemOrigin {
  row: Row
  file: { modifiedMs: number }
  reading: ValueReading
}

/** What the receiver would do with an item, as far as that can be known without the database. */
export type Judgement =
  /** `key` is equal for items of which only one counts. */
  { timeMs: number; key: string; withoutFields: readonly string[] } | RowRejection

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
  /** The fields that identify something, which spreadsheets damage. */
  ids: ReadonlySet<string>
  /** Groups of fields; an item needs a field of each group. */
  needed: readonly (readonly string[])[]
  /** Fields of which an item has at most one. */
  exclusive: readonly string[]
  /** Fields that a column of the same name fills even when other columns are mapped, if the conditions hold. */
  named: Readonly<Record<string, readonly Condition[]>>
  /** The field with an item's time. */
  timeField: string
  /** How fields get values that no rule gives, in words. `given` are the fields that have rules. */
  implied: (given: ReadonlySet<string>) => Readonly<Record<string, string>>
  /** Names of columns that may have the values of fields. */
  headerNames: HeaderNames
  /** Converts a cell to a field's value; Unreadable when it cannot, and undefined when the item is to have no such field then. */
  read: (field: string, cell: unknown, reading: ValueReading) => unknown
  /** The item of a row from the values of its fields; or why there is none. */
  itemOf: (values: ReadonlyMap<string, unknown>, origin: ItemOrigin) => Item | RowRejection
  /** Judges an item as the receiver does. */
  judge: (item: Item, nowMs: number) => Judgement
  /** Sends a batch to be recorded. */
  record: (ingress: clients.Ingress, items: Item[], call: { idempotencyKey: string; timeout: number }) => Promise<BatchAnswer>
}
