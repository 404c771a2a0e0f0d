import { ListOffsetTimestamps } from '@platformatic/kafka'
import type { Database } from '../store/database/connection.ts'
import { type PartitionOffset, readOffsets, seek, type TopicPartition } from '../store/kafka/offset.ts'
import type { OffsetsElsewhere } from './client.ts'

const ACTOR = 'footfall'

/**
 * Where the assigned partitions go on. A partition that was never read starts at its first record. An offset that its topic does not have is
 * moved to the first record: the records before it expired, or the topic was made again.
 */
export async function assign(
  db: Database,
  consumer: OffsetsElsewhere,
  assigned: readonly TopicPartition[],
  onMoved: (topic: string, partition: number, from: bigint, to: bigint) => void,
): Promise<PartitionOffset[]> {
  if (assigned.length === 0) return []
  const ask = (timestamp: bigint) => boundsOf(consumer, assigned, timestamp)
  const first = await ask(ListOffsetTimestamps.EARLIEST)
  const stored = await readOffsets(
    db,
    assigned.map((of) => ({ ...of, next: first(of) })),
  )
  // Asked last, because the consumer that had a partition before may store new records until now.
  const last = await ask(ListOffsetTimestamps.LATEST)
  const places: PartitionOffset[] = []
  for (const place of stored) {
    const { topic, partition, next } = place
    const isInTopic = next >= first(place) && next <= last(place)
    if (isInTopic) places.push(place)
    else {
      const moved = { topic, partition, next: first(place) }
      await seek(db, moved, ACTOR)
      onMoved(topic, partition, next, moved.next)
      places.push(moved)
    }
  }
  return places
}

async function boundsOf(consumer: OffsetsElsewhere, assigned: readonly TopicPartition[], timestamp: bigint) {
  const partitions: Record<string, number[]> = {}
  for (const { topic, partition } of assigned) (partitions[topic] ??= []).push(partition)
  const offsets = await consumer.listOffsets({ topics: Object.keys(partitions), partitions, timestamp })
  return ({ topic, partition }: TopicPartition): bigint => {
    const offset = offsets.get(topic)?.[partition]
    if (offset === undefined || offset < 0n) throw new Error(`the brokers do not say where ${topic}/${partition} is`)
    return offset
  }
}
