import type { KafkaLagResponse, KafkaPartition } from '../contract/kafka-lag.ts'
import type { PartitionLag } from './lag.ts'

/** How far the topics of the settings were read, as callers see it. */
export function lagAnswerOf(topics: readonly string[], lags: readonly PartitionLag[]): KafkaLagResponse {
  return { data: lags.map(partitionOf), meta: { missing_topics: missingTopics(topics, lags) } }
}

/** A partition of a topic that was deleted has an offset, and no end. */
export function missingTopics(topics: readonly string[], lags: readonly Pick<PartitionLag, 'topic' | 'end'>[]): string[] {
  const existing = new Set(lags.filter(({ end }) => end !== null).map(({ topic }) => topic))
  return topics.filter((topic) => !existing.has(topic))
}

function partitionOf({ topic, partition, next, first, end, behind, movedAt }: PartitionLag): KafkaPartition {
  return {
    topic,
    partition,
    next: numberOf(next),
    first: numberOf(first),
    end: numberOf(end),
    behind: numberOf(behind),
    moved_at: movedAt?.toISOString() ?? null,
  }
}

function numberOf(offset: bigint | null): number | null {
  return offset === null ? null : Number(offset)
}
