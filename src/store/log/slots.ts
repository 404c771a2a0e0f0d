import { sql } from 'kysely'

type Sql = ReturnType<typeof sql>

/** For ever, because batches keep which of the slots are counted. */
const SLOTS = 64
/** All slots, as the bits of a bigint. */
export const ALL_SLOTS = -1n

/**
 * The slot of an id, from 0 to 63. Hash partitions and hash indexes depend on this function too, so PostgreSQL gives the same hash in all of its
 * versions, and on every node of Citus.
 */
function slotOf(id: Sql): Sql {
  return sql`(hashtextextended(${id} collate "C", 0) & ${sql.lit(SLOTS - 1)})::int`
}

/** The slot of an id as a bit. */
export function slotBitOf(id: Sql): Sql {
  return sql`(1::bigint << ${slotOf(id)})`
}

/** Whether the slot of an id is one of these. */
export function isInSlots(slots: Sql, id: Sql): Sql {
  return sql`(${slots} >> ${slotOf(id)}) & 1 = 1`
}

/** Slots as a value of a statement. */
export function slotsValue(slots: bigint): Sql {
  return sql`${slots.toString()}::bigint`
}

/** The slots of a lane: those with this remainder. */
export function slotsOfLane(lane: number, lanes: number): bigint {
  let slots = 0n
  for (let slot = lane; slot < SLOTS; slot += lanes) slots |= 1n << BigInt(slot)
  return BigInt.asIntN(SLOTS, slots)
}
