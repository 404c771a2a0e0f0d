import type { Admin } from '@platformatic/kafka'
import { ListOffsetTimestamps } from '@platformatic/kafka'
import type { StoredOffset } from '../store/kafka/offset.ts'
import { partitionsOf } from './client.ts'

/** How far a partition was read. */
export interface PartitionLag {
  topic: string
  partition: number
  /** The first offset that is not stored; null for a partition that was never read. */
  next: bigint | null
  /** The first offset that the broker has, and the one after its last; null when the topic does not exist. */
  first: bigint | null
  end: bigint | null
  /** Offsets that are not stored yet. Of a compacted topic there are fewer records. */
  behind: bigint | null
  movedAt: Date | null
}

/** The lag of every partition of these topics. @throws when the brokers do not answer. */
export async function lagOf(admin: Admin, topics: readonly string[], stored: readonly StoredOffset[]): Promise<PartitionLag[]> {
  const counts = await partitionsOf(admin, topics)
  const places = [...counts].flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })))
  const [firsts, ends] = await Promise.all([
    boundsOf(admin, counts, ListOffsetTimestamps.EARLIEST),
    boundsOf(admin, counts, ListOffsetTimestamps.LATEST),
  ])
  const gone = stored.filter(({ topic, partition }) => topics.includes(topic) && partition >= (counts.get(topic) ?? 0))
  return [...places, ...gone]
    .map(({ topic, partition }) => {
      const own = stored.find((each) => each.topic === topic && each.partition === partition)
      const first = firsts(topic, partition)
      const end = ends(topic, partition)
      const from = own?.next ?? first
      const behind = end === null || from === null ? null : end > from ? end - from : 0n
      return { topic, partition, next: own?.next ?? null, first, end, behind, movedAt: own?.movedAt ?? null }
    })
    .toSorted((one, other) => (one.topic === other.topic ? one.partition - other.partition : one.topic < other.topic ? -1 : 1))
}

async function boundsOf(admin: Admin, counts: ReadonlyMap<string, number>, timestamp: bigint) {
  const topics = [...counts].map(([name, count]) => ({
    name,
    partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
  }))
  const answer = topics.length === 0 ? [] : await admin.listOffsets({ topics })
  const offsets = new Map(
    answer.flatMap(({ name, partitions }) => partitions.map((each) => [`${each.partitionIndex} ${name}`, each.offset] as const)),
  )
  return (topic: string, partition: number): bigint | null => offsets.get(`${partition} ${topic}`) ?? null
}
